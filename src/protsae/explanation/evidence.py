"""What is known of a latent from validation proteins, and the sentence that says it."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.encoding.codes import CodeStore
from protsae.explanation.rules import Rule
from protsae.interpretation.residues import count_on_validation
from protsae.metrics.association import THRESHOLDS
from protsae.probing.labelled import LabelledProteins

Confidence = Literal["high", "medium", "low"]
_SHAPES = {
    "point": "on single residues",
    "short": "in short stretches",
    "medium": "in stretches of medium length",
    "long": "in long stretches",
    "whole": "along whole proteins",
    "periodic": "periodically",
}


@dataclass(frozen=True)
class Agreement:
    """How well a latent agrees with one concept on validation proteins."""

    concept_idx: int
    concept_id: str
    name: str
    level: Literal["protein", "residue"]
    f1: float
    floor: float
    """F1 of a latent that always fires."""

    @property
    def margin(self) -> float:
        """F1 above the floor."""
        return self.f1 - self.floor

    @property
    def text(self) -> str:
        """The agreement in words."""
        what = "residues" if self.level == "residue" else "proteins"
        return f"{self.name} (F1 of {what} {self.f1:.2f} on validation, {self.floor:.2f} if it always fired)"


@dataclass(frozen=True)
class Evidence:
    """What is known of one latent. What is not known is left out, and so is what says nothing."""

    latent: int
    n_proteins: int
    """Validation proteins in which it fires."""
    agreements: tuple[Agreement, ...] = ()
    """With concepts, at most one of proteins and one of residues, the largest margin first; all above their
    floors by enough to be named."""
    own: Agreement | None = None
    """With the concept that a defined latent was tied to in training, whatever it is worth."""
    shape: str = ""
    """Class of its activations' shape, a key of `_SHAPES`; others are not named."""
    rule: Rule = field(default_factory=Rule)
    """The conditions that predict best where it fires."""
    is_tested: bool = True
    """Whether it fires in enough proteins to choose a rule."""

    @property
    def concept_id(self) -> str:
        """The concept that it agrees with best; empty: none."""
        return self.agreements[0].concept_id if self.agreements else ""


def sentence(evidence: Evidence) -> str:
    """Say in one sentence what is known of a latent."""
    if not evidence.n_proteins:
        return "Fires on no validation protein."
    shape = _SHAPES.get(evidence.shape, "")
    if not evidence.is_tested:
        said = f"Fires in {evidence.n_proteins} validation proteins, too few to tell what predicts it"
    elif evidence.rule.conditions:
        said = " ".join(filter(None, ["Fires", shape and f"{shape},", evidence.rule.text]))
    else:
        said = " ".join(filter(None, ["Fires", shape, "where none of its evidence predicts it"]))
    best = evidence.agreements[0] if evidence.agreements else None
    if best:
        said += f"; agrees best with {best.text}"
    own = evidence.own
    if own and own.concept_id != evidence.concept_id:
        said += f"; was tied to {own.name} in training"
    return f"{said}."


def residue_agreements(codes: CodeStore, proteins: LabelledProteins) -> dict[int, Agreement]:
    """Return for each latent the concept of residues with the largest F1 above its floor on validation, at
    the threshold that is best there; latents without one are left out."""
    of_residues = proteins.of_residues
    if not len(of_residues):
        return {}
    _, counts = count_on_validation(codes, proteins, THRESHOLDS)
    f1 = np.stack([counts.scores(c).f1.max(axis=1) for c in range(len(of_residues))], axis=1)
    return _best(f1, counts.always_on(), proteins.concepts.iloc[of_residues], "residue")


def _best(
    f1: NDArray[np.float64],
    floor: NDArray[np.float64],
    concepts: pd.DataFrame,
    level: Literal["protein", "residue"],
) -> dict[int, Agreement]:
    """Return the best of some concepts for each latent, of F1 [n_latents, n_concepts] and floors
    [n_concepts]."""
    best = (f1 - floor).argmax(axis=1)
    about = [concepts[name].tolist() for name in ("concept_idx", "concept_id", "name")]
    return {
        latent: Agreement(about[0][c], about[1][c], about[2][c], level, float(f1[latent, c]), float(floor[c]))
        for latent, c in enumerate(best.tolist())
        if f1[latent, c] > floor[c]
    }


def protein_agreements(latents: pd.DataFrame, concepts: pd.DataFrame) -> dict[int, Agreement]:
    """Return for each latent its best concept of whole proteins, as the table of latents says; those not
    above the floor are left out."""
    kept = latents[latents["f1_validation"] > latents["f1_validation_always_on"]]
    columns = ["latent", "best_concept_id", "f1_validation", "f1_validation_always_on"]
    place = dict(zip(concepts["concept_id"], concepts["concept_idx"], strict=True))
    name = dict(zip(concepts["concept_id"], concepts["name"], strict=True))
    return {
        int(latent): Agreement(int(place[found]), found, name[found], "protein", float(f1), float(floor))
        for latent, found, f1, floor in kept[columns].itertuples(index=False, name=None)
    }


def ordered(min_margin: float, *found: Agreement | None) -> tuple[Agreement, ...]:
    """Return the agreements with at least a margin, the largest first."""
    kept = [of for of in found if of is not None and of.margin >= min_margin]
    return tuple(sorted(kept, key=lambda of: -of.margin))


def own_agreements(latents: pd.DataFrame, concepts: pd.DataFrame) -> dict[int, Agreement]:
    """Return the concept of each defined latent; F1 is not known here (NaN)."""
    tied = latents[latents["concept_id"] != ""]
    about: Any = concepts.set_index("concept_id")
    return {
        int(latent): Agreement(
            int(about.at[own, "concept_idx"]), own, str(about.at[own, "name"]), str(about.at[own, "level"]),  # type: ignore[arg-type]
            float("nan"), float("nan"),
        )
        for latent, own in zip(tied["latent"], tied["concept_id"], strict=True)
    }  # fmt: skip
