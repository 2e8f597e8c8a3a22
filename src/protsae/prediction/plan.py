"""A prediction as a list of independent shards, decided before anything is computed."""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from protsae import __version__
from protsae.activations.config import ExtractionConfig
from protsae.activations.executors import Executor, LocalExecutor
from protsae.activations.plan import skipped_long
from protsae.core.code import code_hash
from protsae.core.errors import InputError
from protsae.core.files import sha256_file, sha256_text
from protsae.core.plan import Plan
from protsae.core.progress import track
from protsae.plm.checkpoint import PlmModel, load_plm
from protsae.plm.residues import check_residues
from protsae.prediction.comparing import VariantJob
from protsae.prediction.config import PredictionConfig
from protsae.prediction.instrument import Instrument
from protsae.prediction.proteins import Proteins
from protsae.prediction.result import RECORD_NAME, SHARDS_NAME, Prediction, write_result
from protsae.prediction.shards import Job, PredictionMaker, ProteinJob
from protsae.prediction.tables import MARK
from protsae.prediction.variants import Variant
from protsae.release import Release

Item = TypeVar("Item")
_LOGGER = logging.getLogger(__name__)
_CHECKED_RESIDUES = 2048
"""Residues of the first proteins that are compared with the activations on record."""


@dataclass(frozen=True)
class PredictionPlan(Plan):
    """All jobs of a prediction with what they share."""

    instrument: Instrument
    jobs: tuple[Job, ...]
    marks: tuple[str, ...]
    """What does not fit the release and was accepted."""
    skipped: Mapping[str, str]
    """Protein id to why it was not read."""
    about: Mapping[str, Any]
    """What the result says of its input."""

    def run(self, path: Path, how: Executor | None = None) -> None:
        """Make the tables in the folder `path`; `how`: who makes shards. What is whole is kept.

        Raises:
            InputError: activations unlike those that the dictionary was made for, or too little memory.
        """
        if Prediction.is_of(path, self.fingerprint):
            return
        instrument = self.instrument
        if how is None or isinstance(how, LocalExecutor):
            instrument.passes.check()
        marks = MARK.join((*self.marks, *self._check_first_proteins()))
        path.mkdir(parents=True, exist_ok=True)
        (path / RECORD_NAME).unlink(missing_ok=True)  # from here on the folder is not a complete prediction
        shards = path / SHARDS_NAME
        _remove_others(shards, {job.name for job in self.jobs})
        maker = PredictionMaker(instrument, shards.absolute(), marks)
        made = (how or LocalExecutor()).run(maker, self.jobs)
        records = list(track(made, "predicting", total=len(self.jobs)))
        about = {**self.about, "fingerprint": self.fingerprint, "marks": marks, "skipped": dict(self.skipped)}
        write_result(path, shards, records, about, instrument.config)

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides the result."""
        return sha256_text(json.dumps(self.about, sort_keys=True), *(job.fingerprint for job in self.jobs))

    def _check_first_proteins(self) -> list[str]:
        """Compare the first activations with those on record; see `Release.check_batch`."""
        import torch

        first: dict[str, str] = {}
        for job in self.jobs:
            pairs = (
                job.wild_types
                if isinstance(job, VariantJob)
                else zip(job.protein_ids, job.sequences, strict=True)
            )
            for name, sequence in pairs:
                first.setdefault(name, sequence[: self.instrument.extraction.max_residues])
            if sum(map(len, first.values())) >= _CHECKED_RESIDUES:
                break
        kept, n = {}, 0
        for name, sequence in first.items():
            if n < _CHECKED_RESIDUES:
                kept[name] = sequence
                n += len(sequence)
        x = torch.cat([batch.x for batch in self.instrument.activations(kept)])
        return self.instrument.release.check_batch(x, accept_mismatch=self.instrument.config.accept_mismatch)


def plan_prediction(
    release: Release,
    proteins: Proteins,
    variants: Sequence[Variant],
    extraction: ExtractionConfig,
    config: PredictionConfig,
    plm: str | Path | None = None,
) -> PredictionPlan:
    """Decide which protein and which variant goes into which shard; loads the language model.

    Args:
        release: what predicts.
        proteins: in the order of the tables.
        variants: of these proteins; none: only proteins are predicted.
        extraction: how activations are computed. Its hook points and its sample of residues do not matter:
            all residues are read at the layer of the release (or `config.layer`).
        config: how much is kept.
        plm: weights of the language model, if the release does not hold them, see `plm.load_plm`.

    Raises:
        InputError: no proteins; the release lacks a table; another language model or layer than it was made
            for; long proteins under `long_sequences: error`.
    """
    if not proteins.ids:
        raise InputError(
            "no protein is given: `--params prediction.fasta=my.fasta`, or prediction.sequence=MKT..."
        )
    hook_point = config.layer or release.record.hook_point
    settings = extraction.model_copy(
        update={"hook_point": hook_point, "hook_points": (), "residues_per_protein": None}
    )
    model, marks = _model(release, plm, hook_point, config)
    by_id = proteins.by_id
    for name, sequence in by_id.items():
        check_residues(sequence, f"protein {name!r}")
    long = skipped_long(by_id, settings)
    why = f"longer than extraction.max_residues={settings.max_residues} (extraction.long_sequences=skip)"
    instrument = Instrument(release, model, settings, config)
    if not instrument.scorers.rows:
        _LOGGER.warning("release %s scores no concept of whole proteins", release.name)
    shared = _shared(release, model, settings, config)
    kept = [place for place, name in enumerate(proteins.ids) if name not in set(long)]
    if not kept:
        raise InputError(f"all {len(by_id)} proteins are {why}: set extraction.long_sequences=window")
    jobs: list[Job] = list(_protein_jobs(proteins, kept, config.proteins_per_shard, shared))
    usable = [variant for variant in variants if variant.protein_id not in set(long)]
    jobs += _variant_jobs(usable, by_id, config.proteins_per_shard, shared)
    about = {
        "release": release.name,
        "release_sha256": sha256_file(release.path / "release.json"),
        "dictionary_sha256": release.record.files["sae.safetensors"].sha256,
        "language_model": model.name,
        "language_model_sha256": model.sha256,
        "hook_point": hook_point,
        "trained_on": release.record.data.description,
        "extraction": settings.model_dump(mode="json"),
        "prediction": config.model_dump(mode="json"),
        "n_proteins": len(by_id),
        "n_variants": len(usable),
        "n_variants_skipped": len(variants) - len(usable),
        "changed": dict(sorted(proteins.changed.items())),
        "protsae": __version__,
    }
    return PredictionPlan(instrument, tuple(jobs), tuple(marks), dict.fromkeys(long, why), about)


def _model(
    release: Release, plm: str | Path | None, hook_point: str, config: PredictionConfig
) -> tuple[PlmModel, list[str]]:
    accepts = config.accept_mismatch
    model = load_plm(plm) if accepts and plm is not None else release.load_plm(plm)
    return model, release.check_model(model, hook_point=hook_point, accept_mismatch=accepts)


def _shared(
    release: Release, model: PlmModel, extraction: ExtractionConfig, config: PredictionConfig
) -> tuple[str, ...]:
    """Return what every shard depends on; who computes, and what is probed afterwards, does not matter."""
    settings = extraction.model_dump_json(exclude={"device", "proteins_per_shard", "outlier_warning"})
    kept = config.model_dump_json(exclude={"probes", "max_track_proteins"})
    code = code_hash(PredictionMaker)
    return code, __version__, sha256_file(release.path / "release.json"), model.sha256, settings, kept


def _protein_jobs(
    proteins: Proteins, kept: Sequence[int], size: int, shared: tuple[str, ...]
) -> Iterator[ProteinJob]:
    for index, places in enumerate(_cut(kept, size)):
        ids, about, texts = (
            tuple(column[i] for i in places)
            for column in (proteins.ids, proteins.descriptions, proteins.sequences)
        )
        yield ProteinJob(index, ids, about, texts, sha256_text(*shared, *ids, *about, *texts))


def _variant_jobs(
    variants: Sequence[Variant], by_id: Mapping[str, str], size: int, shared: tuple[str, ...]
) -> Iterator[VariantJob]:
    has_scores = any(variant.score is not None for variant in variants)
    place = {name: i for i, name in enumerate(by_id)}
    ordered = sorted(variants, key=lambda variant: place[variant.protein_id])
    for index, some in enumerate(_cut(ordered, size)):
        wild = tuple((name, by_id[name]) for name in dict.fromkeys(variant.protein_id for variant in some))
        texts = [f"{v.protein_id}\t{v.name}\t{v.line}\t{v.score}" for v in some]
        fingerprint = sha256_text(*shared, str(has_scores), *(part for pair in wild for part in pair), *texts)
        yield VariantJob(index, wild, tuple(some), fingerprint, has_scores)


def _cut(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]


def _remove_others(shards: Path, wanted: set[str]) -> None:
    """Remove shards of other predictions, and what interrupted ones left."""
    for folder in sorted(shards.iterdir()) if shards.is_dir() else ():
        if folder.name not in wanted:
            shutil.rmtree(folder)
