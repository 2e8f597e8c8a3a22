"""Axiom losses of EL ontologies: classes are balls, and `C ⊑ D` asks that C's ball lies inside D's.

Formulas of DeepGO-SE (Kulmanov et al. 2024), after ELEmbeddings (Kulmanov et al. 2019). With centres c, d, e,
radii r, relation vectors v, margin g, and [.]+ = ReLU, each averaged over the axioms of its form. The margin
is subtracted: it is a tolerance. NF1 to NF4 are all zero when all balls are equal: read them together with
`subsumption_auc`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from protsae.core.errors import InputError
from protsae.sae.kernels.functions import BallExcess, is_compiled_for

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FORMS = ("NF1", "NF2", "NF3", "NF4", "DISJOINT")


def _none(width: int) -> Tensor:
    return torch.empty(0, width, dtype=torch.int64)


@dataclass(frozen=True)
class AxiomIndices:
    """Axioms as index rows. Indices below the number of concepts are concepts, the others zero concepts."""

    nf1: Tensor
    """Int64 [n, 2]: C, D of C ⊑ D."""
    nf4: Tensor
    """Int64 [n, 3]: C, relation, D of C ⊑ ∃R.D."""
    n_classes: int
    """Concepts and zero concepts together."""
    n_relations: int
    nf2: Tensor = field(default_factory=lambda: _none(3))
    """Int64 [n, 3]: C, D, E of C ⊓ D ⊑ E."""
    nf3: Tensor = field(default_factory=lambda: _none(3))
    """Int64 [n, 3]: relation, C, D of ∃R.C ⊑ D."""
    disjoint: Tensor = field(default_factory=lambda: _none(2))
    """Int64 [n, 2]: C, D of C ⊓ D ⊑ ⊥."""
    negatives: Tensor = field(default_factory=lambda: _none(2))
    """Int64 [n, 2]: C, D drawn by `axiom_sampling` of which C ⊑ D does not follow."""

    @classmethod
    def from_table(cls, axioms: pd.DataFrame, n_concepts: int) -> "AxiomIndices":
        """Read the `axioms` table (`normal_form`, `c`, `relation`, `d`, and for NF2 `e`).

        Raises:
            InputError: a normal form of another name.
        """
        other = sorted(set(axioms["normal_form"]) - set(FORMS))
        if other:
            raise InputError(
                f"axioms of form {', '.join(map(str, other))} are unknown: the forms are {', '.join(FORMS)}"
            )

        def rows(form: str, *columns: str) -> Tensor:
            of_form = axioms[axioms["normal_form"] == form]
            if of_form.empty:
                return _none(len(columns))
            return torch.tensor(of_form[list(columns)].to_numpy(dtype="int64"))

        nf3, nf4 = rows("NF3", "relation", "c", "d"), rows("NF4", "c", "relation", "d")
        indices = axioms[[name for name in ("c", "d", "e") if name in axioms]]
        used = torch.cat([nf3[:, 0], nf4[:, 1]])
        return cls(
            nf1=rows("NF1", "c", "d"),
            nf4=nf4,
            n_classes=max(n_concepts, int(indices.to_numpy().max(initial=-1)) + 1),
            n_relations=int(used.max()) + 1 if len(used) else 0,
            nf2=rows("NF2", "c", "d", "e"),
            nf3=nf3,
            disjoint=rows("DISJOINT", "c", "d"),
        )


def subsumers(axioms: AxiomIndices, n_first: int) -> "tuple[csr_array, csr_array]":
    """Return which classes are parents of which by NF1 axioms, bool [n_classes, n_classes], and which subsume
    the first ones by any number of steps, 0 included, bool [n_first, n_classes]."""
    from scipy.sparse import csr_array, eye_array

    n = axioms.n_classes
    child, parent = axioms.nf1.cpu().numpy().T
    parents = csr_array((np.ones(len(child), dtype=bool), (child, parent)), shape=(n, n))
    reach, n_pairs = csr_array(eye_array(n, dtype=bool))[:n_first], -1
    while reach.nnz > n_pairs:
        n_pairs = reach.nnz
        reach = reach + reach @ parents
    return parents, reach


def _distance(a: Tensor, b: Tensor) -> Tensor:
    distance: Tensor = torch.linalg.vector_norm(a - b, dim=1)
    return distance


def _at(values: Tensor, rows: Tensor) -> Tensor:
    return values.index_select(0, rows)


def _apart(centres: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return _distance(_at(centres, a), _at(centres, b))


def nf1_excess(centres: Tensor, radii: Tensor, pairs: Tensor) -> Tensor:
    """Return ||c - d|| + r_c - r_d per pair [n]: how far C's ball sticks out of D's (negative: inside)."""
    if is_compiled_for(centres, radii):
        found: Tensor = BallExcess.apply(centres, radii, pairs)  # type: ignore[no-untyped-call]
        return found
    # Centres and radii are taken together, both ends at once: one pass back instead of four.
    balls = torch.cat([centres, radii.unsqueeze(1)], dim=1).index_select(0, pairs.T.reshape(-1))
    c, d = balls.view(2, len(pairs), -1)
    excess: Tensor = _distance(c[:, :-1], d[:, :-1]) + c[:, -1] - d[:, -1]
    return excess


def nf1_loss(centres: Tensor, radii: Tensor, axioms: Tensor, margin: float) -> Tensor:
    """C ⊑ D: mean [ ||c - d|| + r_c - r_d - g ]+ over axioms [n, 2] (C, D)."""
    return functional.relu(nf1_excess(centres, radii, axioms) - margin).mean()


def nf2_loss(centres: Tensor, radii: Tensor, axioms: Tensor, margin: float) -> Tensor:
    """C ⊓ D ⊑ E over axioms [n, 3] (C, D, E).

    Mean of [ ||c - d|| - r_c - r_d - g ]+ + [ ||e - c|| - r_c - g ]+ + [ ||e - d|| - r_d - g ]+; r_e is
    not used.
    """
    c, d, e = axioms.unbind(dim=1)
    meet = functional.relu(_apart(centres, c, d) - _at(radii, c) - _at(radii, d) - margin)
    in_c = functional.relu(_apart(centres, e, c) - _at(radii, c) - margin)
    in_d = functional.relu(_apart(centres, e, d) - _at(radii, d) - margin)
    return (meet + in_c + in_d).mean()


def nf3_loss(centres: Tensor, radii: Tensor, relations: Tensor, axioms: Tensor, margin: float) -> Tensor:
    """∃R.C ⊑ D: mean [ ||c + v - d|| + r_c - r_d - g ]+ over axioms [n, 3] (R, C, D)."""
    r, c, d = axioms.unbind(dim=1)
    moved = _distance(_at(centres, c) + _at(relations, r), _at(centres, d))
    return functional.relu(moved + _at(radii, c) - _at(radii, d) - margin).mean()


def nf4_loss(
    centres: Tensor,
    radii: Tensor,
    relations: Tensor,
    axioms: Tensor,
    margin: float,
    asks: Literal["overlap", "containment"] = "overlap",
) -> Tensor:
    """C ⊑ ∃R.D over axioms [n, 3] (C, R, D).

    `overlap`: mean [ ||c - (d + v)|| - (r_c + r_d) - g ]+, C's ball and D's moved one meet. DeepGO-SE's code
    looks r_c up in the relation's column; here it is the radius of C. `containment`: mean
    [ ||c - (d + v)|| + r_c - r_d - g ]+, C's ball lies inside.
    """
    c, r, d = axioms.unbind(dim=1)
    moved = _distance(_at(centres, c), _at(centres, d) + _at(relations, r))
    reach = _at(radii, c) if asks == "containment" else -_at(radii, c)
    return functional.relu(moved + reach - _at(radii, d) - margin).mean()


def disjointness_loss(centres: Tensor, radii: Tensor, axioms: Tensor, margin: float) -> Tensor:
    """C ⊓ D ⊑ ⊥: mean [ r_c + r_d - ||c - d|| + g ]+ over axioms [n, 2]. NF2 would pull the pair together."""
    c, d = axioms.unbind(dim=1)
    return functional.relu(_at(radii, c) + _at(radii, d) - _apart(centres, c, d) + margin).mean()


def negative_loss(centres: Tensor, radii: Tensor, pairs: Tensor, margin: float) -> Tensor:
    """C ⊑ D does not follow: mean [ r_d - r_c - ||c - d|| + g ]+ over pairs [n, 2].

    Zero where C's ball sticks out of D's by the margin. The balls may meet: not subsumed is not disjoint.
    """
    return functional.relu(margin - nf1_excess(centres, radii, pairs)).mean()


def axiom_loss(
    centres: Tensor,
    radii: Tensor,
    relations: Tensor,
    axioms: AxiomIndices,
    margin: float,
    nf4: Literal["overlap", "containment"] = "overlap",
) -> Tensor:
    """Return the sum of the losses of the forms that have axioms; zero without any.

    Args:
        centres: [n_classes, d_model].
        radii: [n_classes] >= 0.
        relations: [n_relations, d_model].
        axioms: what has to hold, and pairs of which it must not.
        margin: tolerance g.
        nf4: what `nf4_loss` asks.
    """
    balls = (centres, radii)
    forms: tuple[tuple[Tensor, Callable[[Tensor], Tensor]], ...] = (
        (axioms.nf1, lambda rows: nf1_loss(*balls, rows, margin)),
        (axioms.nf2, lambda rows: nf2_loss(*balls, rows, margin)),
        (axioms.nf3, lambda rows: nf3_loss(*balls, relations, rows, margin)),
        (axioms.nf4, lambda rows: nf4_loss(*balls, relations, rows, margin, nf4)),
        (axioms.disjoint, lambda rows: disjointness_loss(*balls, rows, margin)),
        (axioms.negatives, lambda rows: negative_loss(*balls, rows, margin)),
    )
    return sum((loss(rows) for rows, loss in forms if len(rows)), centres.new_zeros(()))
