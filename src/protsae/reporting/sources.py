"""What the report says of the files that a run was made from: known ones by their content, others by name."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from protsae.core.files import sha256_file
from protsae.reporting.config import ReportTexts

_SWISSPROT = "UniProtKB/Swiss-Prot, January 2014, The UniProt Consortium, CC BY 4.0"
_GO = "Ontology: Gene Ontology, release 2022-07-01, The Gene Ontology Consortium, CC BY 4.0."
_LABELS = (
    "The labels are annotations of Swiss-Prot as of January 2014, of all evidence kinds, partly inferred "
    "from sequence by others' methods. A protein without a term may still have the function. Scores against "
    "such labels are not accuracies."
)


class Known(NamedTuple):
    """What is known of one file."""

    attribution: str
    """Source and licence."""
    limit: str = ""
    """What it cannot show."""


KNOWN = {
    "27a19a56ac57061d8c2f1586a02b56eece8f138702158a9666a936fcdc063d5e": Known(
        f"Proteins: {_SWISSPROT}. Chosen and converted to FASTA.",
        "The data set is small: 939 proteins of 50 to 512 residues, chosen so that every concept has enough "
        "examples in each split. Terms are therefore more frequent here than in nature.",
    ),
    "a1e10f7270571268d2684e4c4dc72e9b73ecbaddd3937f47c253c8e31a2f85f0": Known(
        f"Annotations: {_SWISSPROT}. Chosen and converted to TSV.", _LABELS
    ),
    "f7c0b5f936e97950d60c4b9f57063090782e97681ba60618fd0f8d745c6072ef": Known(
        f"{_GO} Cut to the terms used and their ancestors."
    ),
    "0d2afbfb0630daf01ba424d0b083d582b39e3460914e26f67e3e3069fff3053a": Known(
        "Homology clusters: computed with MMseqs2 for this project, CC0."
    ),
    "0d3152bce561f14049e3b082f2614b50c8fdcd9d1bccc31e1691611472056118": Known(
        "Motifs: patterns of the papers that data/01_raw/motifs.tsv cites."
    ),
    "c707b0eb09a53bacd960d9a649ded7bfc806368dd02570ec2e65ca9ffda73b97": Known(
        "Language model: trained for this project on proteins of Swiss-Prot, without labels, Apache-2.0.",
        "The language model is a small stand-in trained for this demo (1.27 million parameters, perplexity "
        "16.7 on residues of unseen families, where residue frequencies alone give 18.0), so that everything "
        "runs without internet. It has learnt composition and local sequence and little more. Scores compare "
        "methods with each other; they say nothing about large models.",
    ),
    "0b3f8c2c18e662fb53d428c5e8a0704362f7e701a43da7cc4c58425ea44688e6": Known(
        "Antibodies: simulated by GenAIRR 2.3.1 (Konstantinovsky et al.) from germline sets of OGRDB, the "
        "Open Germline Receptor Database of the AIRR Community (Lees et al., Nucleic Acids Research 2019, "
        "doi:10.1093/nar/gkz822).",
        "The antibodies are simulated: no repertoire of a person, and no selection by antigen.",
    ),
    "c4d5989ce38e16dd38242b5160a48378fc0c69800a474e332f6703a39b6bb598": Known(
        "Language model: trained for this project on 26,541 simulated antibody variable domains, without "
        "labels, Apache-2.0."
    ),
    "25291f935a32ebfe99b282e770f2ad51aa5f6e5e037d39430ed9437c7b4a0a29": Known(f"Proteins: {_SWISSPROT}."),
    "11404cced5cfd0c4a63749c7a758e7b7bb272149be9b6662ba632c5bedd646fb": Known(
        f"Annotations: {_SWISSPROT}.", _LABELS
    ),
    "0ea3ef764df3a1b01e5e60d3fec0a38562f72e27e1f44909bda3f406fcefcbc7": Known(_GO),
}
"""SHA-256 of a file that comes with the project, or that its environments name, to what is known of it."""
MODEL = "language model"


def source_files(files: Mapping[str, Path | Mapping[str, Path] | None]) -> dict[str, dict[str, str]]:
    """Return name and SHA-256 of every file that is given, by what it is.

    Args:
        files: what it is to a file, or to several by name; None: not given.
    """
    found = {}
    for what, given in files.items():
        several = {"": given} if isinstance(given, Path) else given or {}
        for name, path in several.items():
            found[f"{what} {name}".strip()] = {"file": path.name, "sha256": sha256_file(path)}
    return found


def with_sources(
    texts: ReportTexts, files: Mapping[str, Mapping[str, str]], model: Mapping[str, Any]
) -> ReportTexts:
    """Return the texts of the report with what is known of the files; nothing is said of a file that is not.

    Args:
        texts: what the user says.
        files: what `source_files` gave.
        model: `model` and `model_sha256`, as in a checkpoint's metadata.
    """
    given = dict(files)
    if model.get("model_sha256"):
        given[MODEL] = {"file": str(model.get("model")), "sha256": str(model["model_sha256"])}
    known = [KNOWN[entry["sha256"]] for entry in given.values() if entry["sha256"] in KNOWN]
    others = [
        f"{what}: {entry['file']} (SHA-256 {entry['sha256'][:12]})"
        for what, entry in given.items()
        if entry["sha256"] not in KNOWN
    ]
    attribution = [*texts.attribution, *(entry.attribution for entry in known)]
    if others:
        unstated = (
            "" if texts.attribution else " Their sources and licences: set reporting.texts.attribution."
        )
        attribution.append(f"Files of this run: {'; '.join(others)}.{unstated}")
    limits = [*texts.notes, *(entry.limit for entry in known if entry.limit)]
    return texts.model_copy(update={"notes": _distinct(limits), "attribution": _distinct(attribution)})


def _distinct(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))
