"""`go.norm`: axioms as lines of text, in the form that DeepGO and ProtSAE read.

Ids are underscored (`GO_0008150`); relations stand as they are. The lines are

    GO_A SubClassOf GO_B                    NF1
    GO_A and GO_B SubClassOf GO_C           NF2
    part_of some GO_A SubClassOf GO_B       NF3
    GO_A SubClassOf part_of some GO_B       NF4
    GO_A and GO_B SubClassOf Nothing        DISJOINT (`owl:Nothing` is read too)

Files of other normalisers also say how relations contain each other (`SubPropertyOf`), and that classes are
empty (`GO_A SubClassOf Nothing`); such lines have no use here and are counted.

An id that cannot be recovered from its underscored form is written as it is where it holds a colon (fresh
classes: `_:some_part_of_GO_0005634`), and in single quotes otherwise.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.core.errors import InputError
from protsae.core.text import numbered_lines
from protsae.ontology.normal_forms import FRESH_PREFIX, Axiom, axiom_counts, axiom_frame, ontology_axioms
from protsae.ontology.obo import Ontology

BOTTOM = "Nothing"
_BOTTOMS = (BOTTOM, "owl:Nothing", "owl_Nothing")
_ROLE_WORD = "SubPropertyOf"
_EMPTY = "empty class"
_WORDS = ("SubClassOf", "and", "some")
_SHAPES = {
    ("", "SubClassOf", ""): "NF1",
    ("", "and", "", "SubClassOf", ""): "NF2",
    ("", "some", "", "SubClassOf", ""): "NF3",
    ("", "SubClassOf", "", "some", ""): "NF4",
}


def read_norm(path: str | Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """Read `go.norm`, plain or compressed; blank lines are passed over.

    Returns:
        Axioms in the columns of `normal_forms.ontology_axioms`; number of lines without use per kind
        (`SubPropertyOf`, `empty class`).

    Raises:
        InputError: the file is missing, empty or no text, or a line is none of those above; with file and
            line.
    """
    path = Path(path)
    lines = numbered_lines(path, "axioms")
    read = [_axiom(path, number, line.split()) for number, line in lines if line.strip()]
    unused = Counter(axiom for axiom in read if isinstance(axiom, str))
    return axiom_frame(axiom for axiom in read if not isinstance(axiom, str)), dict(sorted(unused.items()))


def axioms_of(ontology: Ontology, norm_path: Path | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the axioms of `norm_path`, or without it those that the ontology states; and a report.

    In EL a union is above its operands and no more: such terms are counted.

    Raises:
        InputError: what `read_norm` raises; or the file is about another ontology.
    """
    if norm_path is None:
        axioms = ontology_axioms(ontology)
        unions = ontology.logic.loc[ontology.logic["clause"] == "union_of", "term_id"]
        return axioms, {
            "axioms_from": "ontology",
            "n_axioms": axiom_counts(axioms),
            "n_unions_read_one_way": int(unions.nunique()),
        }
    axioms, unused = read_norm(norm_path)
    return axioms, {
        "axioms_from": norm_path.name,
        "n_axioms": axiom_counts(axioms),
        "n_axiom_lines_unused": unused,
        "n_axiom_classes_unknown": _unknown_classes(norm_path, axioms, ontology),
    }


def norm_text(axioms: pd.DataFrame) -> str:
    """Return axioms (columns of `normal_forms.ontology_axioms`) as text of `go.norm`, in their order."""
    names = pd.unique(axioms[["c_id", "d_id", "e_id"]].to_numpy(dtype=object).ravel())
    word_of = {name: _word_of(name) for name in names}
    classes = (axioms[column].map(word_of) for column in ("c_id", "d_id", "e_id"))
    relations = axioms["relation_name"].map({r: _relation_word(r) for r in axioms["relation_name"].unique()})
    lines = zip(axioms["normal_form"], *classes, relations, strict=True)
    return "".join(f"{_line(*line)}\n" for line in lines)


def _unknown_classes(path: Path, axioms: pd.DataFrame, ontology: Ontology) -> int:
    """Return how many named classes of the axioms are no current terms of the ontology.

    Raises:
        InputError: none is a current term: the axioms are those of another ontology.
    """
    current = set(ontology.terms.loc[~ontology.terms["is_obsolete"], "term_id"])
    named = set(axioms["c_id"]).union(axioms["d_id"], axioms["e_id"]) - {""}
    unknown = sorted(name for name in named - current if not name.startswith(FRESH_PREFIX))
    if not named & current:
        raise InputError(
            f"{path}: none of the {len(named)} classes of these axioms ({min(named, default='')}, ...) is a "
            f"current term of the ontology ({min(current, default='')}, ...); give the axioms of this "
            "ontology, or leave raw_axioms out"
        )
    return len(unknown)


def _axiom(path: Path, number: int, words: list[str]) -> Axiom | str:
    """Return the axiom of one line, or of what kind it is when it has no use."""
    if _ROLE_WORD in words:
        return _ROLE_WORD
    shape = tuple(word if word in _WORDS else "" for word in words)
    form = _SHAPES.get(shape)
    if form is None:
        raise InputError(
            f"{path}:{number}: {' '.join(words)[:80]!r} is not an axiom in normal form: 'A SubClassOf B', "
            "'A and B SubClassOf C', 'R some A SubClassOf B', 'A SubClassOf R some B' or "
            f"'A and B SubClassOf {BOTTOM}'"
        )
    named = [word for word, mark in zip(words, shape, strict=True) if not mark]
    if form == "NF2" and named[-1] in _BOTTOMS:
        form = "DISJOINT"
        named.pop()
    if any(word in _BOTTOMS for word in named):
        return _EMPTY
    relation = _bare(named.pop(0 if form == "NF3" else 1)) if form in ("NF3", "NF4") else ""
    c, d, e = ([_id_of(word) for word in named] + [""])[:3]
    if form == "DISJOINT" and c == d:
        raise InputError(f"{path}:{number}: {c} is disjoint from itself; take the line out")
    return (form, c, d, e, relation)


def _line(form: str, c: str, d: str, e: str, relation: str) -> str:
    if form == "NF1":
        return f"{c} SubClassOf {d}"
    if form == "NF3":
        return f"{relation} some {c} SubClassOf {d}"
    if form == "NF4":
        return f"{c} SubClassOf {relation} some {d}"
    return f"{c} and {d} SubClassOf {e if form == 'NF2' else BOTTOM}"


def _id_of(word: str) -> str:
    """Return the id that a word stands for: its last underscore becomes the colon, where it has none."""
    if _is_quoted(word) or ":" in word:
        return _bare(word)
    prefix, underscore, local = word.rpartition("_")
    return f"{prefix}:{local}" if underscore else word


def _word_of(name: str) -> str:
    forms = (name.replace(":", "_"), name)
    return next((form for form in forms if _is_plain(form) and _id_of(form) == name), f"'{name}'")


def _relation_word(relation: str) -> str:
    return relation if _is_plain(relation) and not _is_quoted(relation) else f"'{relation}'"


def _is_plain(word: str) -> bool:
    """Return whether a word is no word of the syntax, and no line with it in front looks like a web page."""
    return word not in (*_WORDS, *_BOTTOMS, _ROLE_WORD) and not word.startswith("<")


def _is_quoted(word: str) -> bool:
    return len(word) > 2 and word.startswith("'") and word.endswith("'")


def _bare(word: str) -> str:
    return word[1:-1] if _is_quoted(word) else word
