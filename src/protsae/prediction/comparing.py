"""Wild types and variants: latents gained and lost, changes of concepts, log-likelihood ratios."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from protsae.core.letters import AMINO_ACIDS
from protsae.encoding.batches import ProteinBatch
from protsae.encoding.reading import BatchEncoding
from protsae.prediction.instrument import Instrument
from protsae.prediction.marginals import Marginals, log_likelihood_ratio
from protsae.prediction.residues import active_codes
from protsae.prediction.scoring import Scored
from protsae.prediction.variants import Variant

_TEXT, _INT, _FLOAT, _BOOL = pa.string(), pa.int32(), pa.float64(), pa.bool_()
_VECTOR = pa.list_(pa.float32())
_NAMED = {"protein_id": _TEXT, "variant": _TEXT}
VARIANT_SCHEMAS: dict[str, pa.Schema] = {
    name: pa.schema(list({**_NAMED, **columns}.items()))
    for name, columns in {
        "variants": {
            "line": _INT,
            "n_substitutions": _INT,
            "score": _FLOAT,
            "llr": _FLOAT,
            "llr_wild_type": _FLOAT,
            "n_gained": _INT,
            "n_lost": _INT,
            "gained": _TEXT,
            "lost": _TEXT,
            "n_concepts_changed": _INT,
            "largest_change_concept": _TEXT,
            "largest_change": _FLOAT,
            "marks": _TEXT,
        },
        "variant_latents": {
            "change": _TEXT,
            "latent": _INT,
            "kind": _TEXT,
            "concept_id": _TEXT,
            "name": _TEXT,
            "strength_wild_type": _FLOAT,
            "strength_variant": _FLOAT,
            "peak": _INT,
            "sentence": _TEXT,
        },
        "variant_concepts": {
            "by": _TEXT,
            "concept_id": _TEXT,
            "name": _TEXT,
            "aspect": _TEXT,
            "probability_wild_type": _FLOAT,
            "probability_variant": _FLOAT,
            "change": _FLOAT,
            "reached_wild_type": _BOOL,
            "reached_variant": _BOOL,
            "auc_test": _FLOAT,
        },
        "variant_features": {"line": _INT, "score": _FLOAT, "latents": _VECTOR, "activations": _VECTOR},
    }.items()
}
"""Table to its columns; docs/prediction.md says what they mean. `variant_features` is for probes alone."""


@dataclass(frozen=True)
class VariantJob:
    """Some variants with their wild types, independent of all others."""

    index: int
    wild_types: tuple[tuple[str, str], ...]
    """Id and residues."""
    variants: tuple[Variant, ...]
    fingerprint: str
    """Hash of all that decides the shard."""
    with_features: bool = False
    """Whether vectors are kept, for probes."""

    @property
    def name(self) -> str:
        """Name of the shard's folder."""
        return f"variants-{self.index:05d}"


class _State(NamedTuple):
    """What the dictionary makes of one sequence."""

    strength: NDArray[np.float64]
    """Of its latents, see `Instrument.strength` [d_sae]; the activations if no maximum is on record."""
    peaks: dict[int, int]
    """Latent to the 1-based position where it is most active; of those that count as active."""
    scored: Mapping[str, Scored]
    """Scores of a single protein."""
    mean_latents: NDArray[np.float32]
    mean_activation: NDArray[np.float32]


def variant_tables(instrument: Instrument, job: VariantJob, marks: str) -> dict[str, pa.Table]:
    """Compare the variants of a job with their wild types; see `VARIANT_SCHEMAS`.

    A latent is gained if it counts as active in the variant and not in the wild type (`config.min_strength`
    of its maximum on record, anywhere in the protein), lost if the other way round.
    """
    wild = dict(job.wild_types)
    states = dict(zip(wild, _states(instrument, wild), strict=True))
    ratios = _ratios(instrument, job)
    mutants = {str(i): variant.sequence(wild[variant.protein_id]) for i, variant in enumerate(job.variants)}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in VARIANT_SCHEMAS}
    for variant, ratio, state in zip(job.variants, ratios, _states(instrument, mutants), strict=True):
        before, named = (
            states[variant.protein_id],
            {"protein_id": variant.protein_id, "variant": variant.name},
        )
        latents = _changed_latents(instrument, before, state)
        concepts = _changed_concepts(instrument, before, state)
        rows["variant_latents"] += [named | row for row in latents]
        rows["variant_concepts"] += [named | row for row in concepts]
        by_change = {
            change: [row["latent"] for row in latents if row["change"] == change]
            for change in ("gained", "lost")
        }
        largest = max(concepts, key=lambda row: abs(row["change"]), default=None)
        rows["variants"].append(
            {
                **named,
                "line": variant.line,
                "n_substitutions": len(variant.substitutions),
                "score": variant.score,
                "llr": ratio[0],
                "llr_wild_type": ratio[1],
                **{f"n_{change}": len(found) for change, found in by_change.items()},
                **{change: ";".join(map(str, found)) for change, found in by_change.items()},
                "n_concepts_changed": len({row["concept_id"] for row in concepts}),
                "largest_change_concept": largest and largest["concept_id"],
                "largest_change": largest and largest["change"],
                "marks": marks or None,
            }
        )
        if job.with_features:
            vectors = {"latents": state.mean_latents, "activations": state.mean_activation}
            rows["variant_features"].append(named | {"line": variant.line, "score": variant.score, **vectors})
    return {name: pa.Table.from_pylist(found, VARIANT_SCHEMAS[name]) for name, found in rows.items()}


def _states(instrument: Instrument, sequences: Mapping[str, str]) -> Iterator[_State]:
    for batch in instrument.activations(sequences):
        yield from _states_of(instrument, batch, instrument.encode(batch))


def _states_of(instrument: Instrument, batch: ProteinBatch, encoding: BatchEncoding) -> Iterator[_State]:
    largest = encoding.pooled["max_latents"]
    strength = instrument.strength(largest)
    if np.isnan(strength).all():
        strength, least = largest.astype(np.float64), 0.0
    else:
        strength, least = np.nan_to_num(strength), instrument.config.min_strength
    runs = active_codes(batch, encoding, strength > least).runs()
    order = np.lexsort((runs.first, -runs.value, runs.latent, runs.protein))  # the strongest run first
    peaks: list[dict[int, int]] = [{} for _ in batch.protein_ids]
    for place in order.tolist():
        peaks[runs.protein[place]].setdefault(int(runs.latent[place]), int(runs.peak[place]) + 1)
    scored = instrument.scorers.scores(encoding.pooled)
    begins = np.cumsum([0, *batch.lengths[:-1]])
    lengths = np.array(batch.lengths)[:, None]
    means = (np.add.reduceat(batch.x.double().numpy(), begins) / lengths).astype(np.float32)
    for i in range(len(batch.protein_ids)):
        one = {
            kind: Scored(of.score[i : i + 1], of.probability[i : i + 1], of.is_reached[i : i + 1])
            for kind, of in scored.items()
        }
        yield _State(strength[i], peaks[i], one, encoding.pooled["mean_latents"][i], means[i])


def _changed_latents(instrument: Instrument, before: _State, after: _State) -> list[dict[str, Any]]:
    changed = dict.fromkeys(after.peaks.keys() - before.peaks.keys(), "gained")
    changed |= dict.fromkeys(before.peaks.keys() - after.peaks.keys(), "lost")
    rows = []
    for latent, change in changed.items():
        about = instrument.latents.iloc[latent]
        name = about["name"] if isinstance(about["name"], str) else about["best_concept_name"]
        state = after if change == "gained" else before
        row = {
            "change": change,
            "latent": latent,
            **{column: about[column] for column in ("kind", "concept_id", "sentence")},
            "name": name,
            "strength_wild_type": float(before.strength[latent]),
            "strength_variant": float(after.strength[latent]),
            "peak": state.peaks[latent],
        }
        rows.append({key: None if value is None or pd.isna(value) else value for key, value in row.items()})
    return sorted(rows, key=lambda row: -abs(row["strength_variant"] - row["strength_wild_type"]))


def _changed_concepts(instrument: Instrument, before: _State, after: _State) -> list[dict[str, Any]]:
    least, concepts = instrument.config.variants_compared.min_change, instrument.scorers.concepts
    rows = []
    for kind, now in after.scored.items():
        then, worth = before.scored[kind], instrument.scorers.rows[kind]["auc_test"]
        change = (now.probability - then.probability)[0]
        crossed = (now.is_reached != then.is_reached)[0]
        for place in np.flatnonzero((np.abs(change) >= least) | crossed):
            rows.append(
                {
                    "by": kind,
                    **{column: concepts[column].iloc[place] for column in ("concept_id", "name", "aspect")},
                    "probability_wild_type": float(then.probability[0, place]),
                    "probability_variant": float(now.probability[0, place]),
                    "change": float(change[place]),
                    "reached_wild_type": bool(then.is_reached[0, place]),
                    "reached_variant": bool(now.is_reached[0, place]),
                    "auc_test": float(worth.iloc[place]),
                }
            )
    return sorted(rows, key=lambda row: -abs(row["change"]))


def _ratios(instrument: Instrument, job: VariantJob) -> list[tuple[float, float]]:
    """Return each variant's ratio by masked and by wild-type marginals."""
    settings, alphabet = instrument.extraction, instrument.model.module.alphabet
    letters = [alphabet.get_idx(letter) for letter in AMINO_ACIDS]
    found: dict[str, tuple[dict[int, Any], dict[int, Any]]] = {}
    for protein_id, sequence in job.wild_types:
        marginals = Marginals(
            instrument.passes.forward,
            letters,
            sequence,
            max_residues=settings.max_residues,
            overlap=settings.window_overlap,
            max_tokens=settings.max_tokens_per_batch,
        )
        positions = {
            s.position
            for variant in job.variants
            if variant.protein_id == protein_id
            for s in variant.substitutions
        }
        found[protein_id] = marginals.logits(positions, "masked"), marginals.logits(positions, "wild_type")
    return [
        (
            log_likelihood_ratio(variant.substitutions, found[variant.protein_id][0]),
            log_likelihood_ratio(variant.substitutions, found[variant.protein_id][1]),
        )
        for variant in job.variants
    ]
