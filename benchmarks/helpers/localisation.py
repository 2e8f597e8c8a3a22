"""Do scores of residues rank those that carry a protein's concept above the others of the same protein?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.antibodies import EVIDENCE, Antibody
from protsae.core.letters import character_codes
from protsae.core.seeding import numpy_generator
from protsae.metrics.bootstrap import macro_mean
from protsae.metrics.ranking import Ranking
from protsae.probing.estimates import Estimate, Key, MethodEvaluation

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
METRICS = ("auc", "average_precision", "fires_inside", "fires_outside")


@dataclass(frozen=True)
class Placed:
    """Residues of some antibodies, one after another, with the concepts that these carry."""

    lengths: Ints
    """[n_proteins]."""
    letters: NDArray[np.uint8]
    """Character codes [n_residues]."""
    evidence: dict[str, Bools]
    """Class of concepts to the residues that carry it [n_residues]."""
    positive: Bools
    """Which antibodies carry which concepts [n_proteins, n_concepts]."""
    classes: NDArray[Any]
    """Class of each concept [n_concepts]."""

    @classmethod
    def of(
        cls,
        antibodies: Sequence[Antibody],
        alleles: Mapping[str, str],
        positive: Bools,
        classes: Sequence[str],
    ) -> "Placed":
        """Lay out antibodies in their order; `alleles` are the germline V genes."""
        kinds = [antibody.evidence(alleles) for antibody in antibodies]
        return cls(
            np.array([len(antibody.sequence) for antibody in antibodies], np.int64),
            character_codes("".join(antibody.sequence for antibody in antibodies)),
            {name: np.concatenate([found[kind] for found in kinds]) for name, kind in EVIDENCE.items()},
            positive,
            np.asarray(classes, object),
        )

    @property
    def owner(self) -> Ints:
        """Position of each residue's protein [n_residues]."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    def bins(self) -> dict[str, Ints]:
        """Return what alone may tell residues: amino acid, distance from the first and the last residue."""
        ends = np.cumsum(self.lengths)
        row = np.arange(len(self.letters))
        return {
            "residue_identity": self.letters.astype(np.int64),
            "from_start": row - (ends - self.lengths)[self.owner],
            "from_end": ends[self.owner] - 1 - row,
        }

    def rows(self, proteins: Ints) -> tuple[Ints, Bools]:
        """Return the residues of some proteins in columns [longest, n], and which of the cells hold one."""
        lengths = self.lengths[proteins]
        first = (np.cumsum(self.lengths) - self.lengths)[proteins]
        offset = np.arange(lengths.max(initial=0))[:, None]
        there = offset < lengths
        return np.where(there, first + offset, 0), there

    def drawn(self, concept_ids: Sequence[str], n: int, seed: int) -> Bools:
        """Return `positive` with at most n antibodies of each concept that some residues carry, not all."""
        found = np.zeros_like(self.positive)
        for column, (name, concept_id) in enumerate(zip(self.classes, concept_ids, strict=True)):
            share = np.bincount(self.owner, self.evidence[name], len(self.lengths)) / self.lengths
            usable = np.flatnonzero(self.positive[:, column] & (share > 0) & (share < 1))
            rng = numpy_generator(seed, "localisation", concept_id)
            found[rng.permutation(usable)[:n], column] = True
        return found


def localise(scores: Floats, placed: Placed, drawn: Bools, fires: Bools | None = None) -> dict[str, Floats]:
    """Measure how residues are ranked within every antibody, for every concept that it carries.

    Args:
        scores: [n_residues, n_concepts].
        placed: residues and the truth about them.
        drawn: which antibodies are judged for which concepts, see `Placed.drawn`.
        fires: where a latent is active [n_residues, n_concepts]; None: there is no latent.

    Returns:
        Metric to values [n_proteins, n_concepts], NaN where not judged: `auc`, `average_precision`, and with
        latents the share of the residues inside and outside the truth where they are active.
    """
    values = {name: np.full(drawn.shape, np.nan) for name in METRICS[: 2 if fires is None else 4]}
    for column, name in enumerate(placed.classes):
        proteins = np.flatnonzero(drawn[:, column])
        rows, there = placed.rows(proteins)
        truth = placed.evidence[name][rows] & there
        areas = Ranking(scores[rows, column], truth, there).areas()
        values["auc"][proteins, column], values["average_precision"][proteins, column] = areas
        if fires is not None:
            for metric, part in (("fires_inside", truth), ("fires_outside", there & ~truth)):
                active = (fires[rows, column] & part).sum(axis=0)
                values[metric][proteins, column] = active / part.sum(axis=0)
    return values


def evaluate(values: Mapping[str, Floats], classes: NDArray[Any], weights: Ints) -> MethodEvaluation:
    """Average over proteins, then over the concepts of each class, also in resamples of the proteins.

    Args:
        values: metric to values [n_proteins, n_concepts], see `localise`.
        classes: class of each concept.
        weights: [n_resamples, n_proteins].
    """
    estimates, once = {}, np.ones((1, weights.shape[1]), np.int64)
    for metric, found in values.items():
        for name in dict.fromkeys(classes):
            own = found[:, classes == name]
            (mean,), (left_out,) = macro_mean(_over_proteins(own, once))
            samples = macro_mean(_over_proteins(own, weights))[0]
            estimates[Key.of(metric, name)] = Estimate(float(mean), own.shape[1] - int(left_out), samples)
    return MethodEvaluation(estimates, pd.DataFrame())


def _over_proteins(values: Floats, weights: Ints) -> Floats:
    """Return weighted means over proteins [n_resamples, n_concepts]; NaN where no protein has a value."""
    known = weights @ (~np.isnan(values)).astype(np.float64)
    with np.errstate(invalid="ignore"):
        means: Floats = weights @ np.nan_to_num(values) / known
    return means


def rate_scores(train: Placed, bins: Ints, judged_bins: Ints) -> Floats:
    """Score residues by the share, among residues of the same bin in training antibodies with the concept, of
    those that carry it.

    Args:
        train: training antibodies.
        bins: of their residues [n_residues].
        judged_bins: of the residues to score [n].

    Returns:
        [n, n_concepts]; 0 for bins that training lacks.
    """
    n_bins = int(max(bins.max(), judged_bins.max())) + 1
    rates = np.zeros((n_bins, len(train.classes)))
    for column, name in enumerate(train.classes):
        inside = train.positive[train.owner, column]
        there = np.bincount(bins[inside], minlength=n_bins)
        carrying = np.bincount(bins[inside], train.evidence[name][inside], n_bins)
        rates[:, column] = carrying / np.maximum(there, 1)
    return rates[judged_bins]


def position_scores(train: Placed, validation: Placed, drawn: Bools, judged: Placed) -> Floats:
    """Score residues by `rate_scores` of their distance from one end, for each concept from the end that
    localises it better on validation."""
    auc, scores = [], []
    for end in ("from_start", "from_end"):
        bins = train.bins()[end]
        values = localise(rate_scores(train, bins, validation.bins()[end]), validation, drawn)["auc"]
        auc.append(_over_proteins(values, np.ones((1, len(values)), np.int64))[0])
        scores.append(rate_scores(train, bins, judged.bins()[end]))
    return np.where(np.nan_to_num(auc[1]) > np.nan_to_num(auc[0]), scores[1], scores[0])
