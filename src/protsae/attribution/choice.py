"""Which predictions of which proteins are attributed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from protsae.attribution.config import RunAttributionConfig, TargetConfig
from protsae.core.config import unknown_key_message
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sequences.records import RecordsConfig, read_sequences


class Wanted(NamedTuple):
    """One protein and one prediction."""

    protein_id: str
    sequence: str
    target: TargetConfig
    label: str
    """What tables call the prediction: the concept's id, `latent 12`, `4A;10C`."""
    name: str
    """The same for readers: the concept's name."""
    is_annotated: bool | None
    """Whether the protein has the concept; None: no concept, or not known."""


@dataclass(frozen=True)
class Known:
    """What there is to choose from."""

    proteins: pd.DataFrame
    """`protein_id`, `sequence`; of a run also `split`: those of `test` are candidates, else all."""
    checkpoint: SaeCheckpoint
    concepts: pd.DataFrame | None = None
    """`concept_idx`, `concept_id`, `name`, `level`, `prevalence_train`."""
    labels: pd.DataFrame | None = None
    """`protein_id`, `concept_idx`."""
    encoding: Path | None = None
    """Table of pooled codes and of the predictor's logits by protein."""

    @property
    def concept_ids(self) -> tuple[str, ...]:
        """Concepts of the dictionary's predictor; its first latents are tied to them."""
        return self.checkpoint.concept_ids

    @property
    def n_latents(self) -> int:
        """Width of the dictionary."""
        return int(self.checkpoint.config["d_sae"])

    @property
    def names(self) -> dict[str, str]:
        """Concept to its name."""
        if self.concepts is None:
            return {}
        return dict(zip(self.concepts["concept_id"], self.concepts["name"], strict=True))

    def pooled(self, column: str) -> pd.Series:
        """Return a column of the encoding by protein.

        Raises:
            InputError: there is no encoding.
        """
        if self.encoding is None:
            raise InputError(
                "attribution_encoding is not given: name attribution.proteins and what is attributed"
            )
        return pd.read_parquet(self.encoding, columns=["protein_id", column]).set_index("protein_id")[column]

    @property
    def candidates(self) -> pd.DataFrame:
        """Proteins that may be chosen."""
        if "split" not in self.proteins:
            return self.proteins
        return self.proteins[self.proteins["split"] == "test"]

    def annotated(self) -> pd.DataFrame:
        """Return the annotations: `protein_id`, and the columns of `concepts`."""
        if self.concepts is None or self.labels is None:
            return pd.DataFrame(columns=["protein_id", "concept_id", "name", "level", "prevalence_train"])
        return self.labels.merge(self.concepts, on="concept_idx")


def read_proteins(path: Path, config: RecordsConfig) -> pd.DataFrame:
    """Return `protein_id`, `sequence`, and `split` of a run's table of proteins, or of a file of sequences.

    Raises:
        InputError: see `sequences.records.read_sequences`; or there are no proteins.
    """
    if path.suffix == ".parquet":
        found = pd.read_parquet(path, columns=["protein_id", "sequence", "split"])
    else:
        records = [(record.protein_id, record.sequence) for record in read_sequences(path, config)]
        found = pd.DataFrame(records, columns=["protein_id", "sequence"])
    if found.empty:
        raise InputError(f"{path}: no proteins")
    return found


def choose(known: Known, config: RunAttributionConfig) -> list[Wanted]:
    """Return what is attributed, target by target.

    Args:
        known: what there is to choose from.
        config: what the user named.

    Raises:
        InputError: naming the protein, concept, latent, position or letter that does not exist; or no protein
            fits a target.
    """
    sequences = dict(zip(known.proteins["protein_id"].astype(str), known.proteins["sequence"], strict=True))
    if strangers := [name for name in config.proteins if name not in sequences]:
        raise InputError(
            f"attribution.proteins: no protein is called {strangers[0]!r}, among {len(sequences)}"
        )
    annotated = known.annotated()
    pairs = [
        (name, target)
        for target in _targets(known, config)
        for name in _proteins(known, annotated, target, config)
    ]
    if not pairs:
        pairs = _own_concepts(known, annotated, config)
    names = known.names
    has = set(zip(annotated["protein_id"], annotated["concept_id"], strict=True))
    found = []
    for protein_id, target in pairs:
        of = _at_positions(target, sequences[protein_id], protein_id)
        label, is_annotated = _label(of), None
        if of.kind == "predictor" and known.labels is not None:
            is_annotated = (protein_id, of.concept_id) in has
        found.append(
            Wanted(protein_id, sequences[protein_id], of, label, names.get(label, label), is_annotated)
        )
    return found


def _targets(known: Known, config: RunAttributionConfig) -> list[TargetConfig]:
    ids = known.concept_ids
    for concept_id in config.concepts:
        if not ids:
            raise InputError(
                "attribution.concepts: this dictionary has no predictor; give attribution.latents"
            )
        if concept_id not in ids:
            raise InputError(f"attribution.concepts: {unknown_key_message(concept_id, ids, 'concept')}")
    if wrong := [latent for latent in config.latents if not 0 <= latent < known.n_latents]:
        raise InputError(
            f"attribution.latents: latent {wrong[0]} does not exist: the dictionary has latents 0 to "
            f"{known.n_latents - 1}"
        )
    found = [TargetConfig(kind="predictor", concept_id=concept_id) for concept_id in config.concepts]
    found += [TargetConfig(kind="latent", latent=i, pooling=config.pooling) for i in config.latents]
    if config.positions:
        texts = {"letters": config.letters, "against": config.against}
        for name, text in texts.items():
            if text and (len(text) != len(config.positions) or not set(text) <= set(AMINO_ACIDS)):
                raise InputError(
                    f"attribution.{name}: {text!r} is not one of the twenty amino acids for each of "
                    f"{len(config.positions)} positions"
                )
        found.append(TargetConfig(kind="logit", positions=config.positions, **texts))
    elif config.letters or config.against:
        raise InputError("attribution.letters: letters without attribution.positions")
    return found


def _proteins(
    known: Known, annotated: pd.DataFrame, target: TargetConfig, config: RunAttributionConfig
) -> Sequence[str]:
    if config.proteins:
        return config.proteins
    ids: pd.Index[str] = pd.Index(known.candidates["protein_id"].astype(str))
    if target.kind == "latent":
        codes = known.pooled(f"{target.pooling}_latents").map(lambda row: row[target.latent])
        ids = codes[(codes > 0) & codes.index.isin(ids)].sort_values(ascending=False, kind="stable").index
    elif target.kind == "predictor":
        ids = ids[ids.isin(annotated.loc[annotated["concept_id"] == target.concept_id, "protein_id"])]
    if not len(ids):
        raise InputError(
            f"{_label(target)}: no test protein has it. Give attribution.proteins, or another target"
        )
    return list(ids[: config.n_proteins])


def _own_concepts(
    known: Known, annotated: pd.DataFrame, config: RunAttributionConfig
) -> list[tuple[str, TargetConfig]]:
    """Return for each protein the annotated concept whose logit exceeds most what its prevalence gives.

    Of the candidates those are taken for which it exceeds it most, each with another concept.
    """
    if not known.concept_ids:
        raise InputError("nothing to attribute: give attribution.latents or attribution.positions")
    logits = known.pooled("protein_logits")
    has_logit = annotated["concept_id"].isin(known.concept_ids) & annotated["protein_id"].isin(logits.index)
    rows = annotated[(annotated["level"] == "protein") & has_logit]
    prior = rows["prevalence_train"].to_numpy(np.float64)
    index = [known.concept_ids.index(concept_id) for concept_id in rows["concept_id"]]
    own = [logits[name][i] for name, i in zip(rows["protein_id"], index, strict=True)]
    rows = rows.assign(surplus=np.array(own, np.float64) - np.log(prior / (1 - prior)))
    best = rows.sort_values("surplus", ascending=False, kind="stable").drop_duplicates("protein_id")
    if config.proteins:
        concept_of = dict(zip(best["protein_id"], best["concept_id"], strict=True))
        if without := [name for name in config.proteins if name not in concept_of]:
            raise InputError(
                f"protein {without[0]!r} has no annotated concept to attribute: give attribution.concepts"
            )
        chosen = [(name, concept_of[name]) for name in config.proteins]
    else:
        best = best[best["protein_id"].isin(known.candidates["protein_id"])].drop_duplicates("concept_id")
        chosen = list(zip(best["protein_id"], best["concept_id"], strict=True))[: config.n_proteins]
    if not chosen:
        raise InputError("no test protein has an annotated concept: give attribution.concepts")
    return [(name, TargetConfig(kind="predictor", concept_id=concept_id)) for name, concept_id in chosen]


def _at_positions(target: TargetConfig, sequence: str, protein_id: str) -> TargetConfig:
    """Return a target of positions with the protein's own letters where none are given."""
    if wrong := [place for place in target.positions if not 1 <= place <= len(sequence)]:
        raise InputError(
            f"attribution.positions: {wrong[0]} lies outside protein {protein_id} of {len(sequence)} residues"
        )
    if target.kind != "logit" or target.letters:
        return target
    letters = "".join(sequence[place - 1] for place in target.positions)
    for place, letter in zip(target.positions, letters, strict=True):
        if letter not in AMINO_ACIDS:
            raise InputError(
                f"attribution.positions: residue {place} of protein {protein_id} is {letter!r}, none of the "
                "twenty amino acids: give attribution.letters"
            )
    return target.model_copy(update={"letters": letters})


def _label(target: TargetConfig) -> str:
    if target.kind == "predictor":
        return target.concept_id
    if target.kind == "latent":
        return f"latent {target.latent}"
    against = target.against or " " * len(target.positions)
    marks = zip(target.positions, target.letters, against, strict=True)
    return ";".join(f"{place}{letter}{f'/{other}' if other != ' ' else ''}" for place, letter, other in marks)
