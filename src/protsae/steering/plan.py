"""Steering as a list of independent jobs, decided before anything is computed, and their running."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from protsae.activations.executors import Executor, LocalExecutor
from protsae.core.code import code_hash
from protsae.core.errors import InputError
from protsae.core.files import (
    UNSEALED,
    atomic_path,
    is_intact,
    read_sealed_json,
    sha256_file,
    sha256_text,
    write_text_atomic,
)
from protsae.core.plan import Plan
from protsae.core.progress import track
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.steering import positions
from protsae.steering.config import PositionsConfig, SteeringConfig
from protsae.steering.structures import fold
from protsae.steering.targets import SteeringTarget

_LOGGER = logging.getLogger(__name__)
TABLE_NAME, FASTA_NAME, INDEX_NAME = "designs.parquet", "designs.fasta", "steering.json"
_KEY, _SEAL = b"protsae.steering", b"seal"
_AGAIN = "steer again: `kedro run --pipelines steering`"
DESIGN_COLUMNS = (
    *("id", "go_id", "sample", "original_sequence", "masked_sequence", "generated_sequence", "positions"),
    *("scale", "mode", "seed", "n_mutations", "identity", "confidence"),
    *("pseudo_perplexity", "original_pseudo_perplexity", "perplexity_by"),
    *("target_score", "original_target_score", "off_target_change"),
)
_MASK = "#"


@dataclass(frozen=True)
class SteeringJob:
    """Proteins that are steered towards one target."""

    index: int
    target: SteeringTarget
    protein_ids: tuple[str, ...]
    sequences: tuple[str, ...]
    fingerprint: str

    @property
    def name(self) -> str:
        """Its file."""
        return f"shard-{self.index:05d}.parquet"


@dataclass(frozen=True)
class SteeringPlan(Plan):
    """All jobs, and the files that they need."""

    dictionary: Path
    plm: Path
    judge: Path
    """The model that judges naturalness; the same as `plm` if there is no other."""
    config: SteeringConfig
    jobs: tuple[SteeringJob, ...]

    def run(self, path: Path, how: Executor | None = None) -> None:
        """Make what is missing in the folder `path`: shards, then FASTA and table of all designs.

        Shards of the same proteins, settings, models and code are kept, others are made again.

        Args:
            path: folder; made if missing.
            how: who makes the shards; None: this process.

        Raises:
            InputError: the dictionary belongs to another language model.
        """
        path.mkdir(parents=True, exist_ok=True)
        names = {job.name for job in self.jobs}
        for old in path.glob("shard-*.parquet"):
            if old.name not in names:
                old.unlink()
        (path / INDEX_NAME).unlink(missing_ok=True)
        missing = [job for job in self.jobs if _read(path / job.name, job.fingerprint) is None]
        if len(missing) < len(self.jobs):
            _LOGGER.info("%d of %d shards are there: kept", len(self.jobs) - len(missing), len(self.jobs))
        made = (how or LocalExecutor()).run(_Maker(self, path), missing)
        for _ in track(made, "Steering", total=len(missing)):
            pass
        tables = [_read(path / job.name, job.fingerprint) for job in self.jobs]
        found = pd.concat([table for table in tables if table is not None], ignore_index=True)
        with atomic_path(path / TABLE_NAME) as temporary:
            found.to_parquet(temporary, index=False)
        write_text_atomic(path / FASTA_NAME, fasta(found))
        fold(found, path, self.config.structures)
        about = {
            "seal": UNSEALED,
            "n_designs": len(found),
            "targets": sorted({job.target.name for job in self.jobs}),
            "dictionary_sha256": sha256_file(self.dictionary),
            "config": self.config.model_dump(),
            "files": {name: sha256_file(path / name) for name in (TABLE_NAME, FASTA_NAME)},
        }
        write_text_atomic(path / INDEX_NAME, json.dumps(about) + "\n", sealed=True)


def plan_steering(
    protein_ids: Sequence[str],
    sequences: Sequence[str],
    targets: Sequence[SteeringTarget],
    dictionary: Path,
    plm: Path,
    config: SteeringConfig,
    *,
    judge: Path | None = None,
) -> SteeringPlan:
    """Cut the designs into jobs.

    Args:
        protein_ids: ids.
        sequences: their residues.
        targets: what is steered.
        dictionary: checkpoint of the autoencoder.
        plm: checkpoint of the language model.
        config: settings.
        judge: checkpoint of the model that judges naturalness; None: `plm` itself.

    Raises:
        InputError: no proteins.
    """
    if not len(protein_ids):
        raise InputError("no proteins to steer: the file of sequences is empty")
    shared = (
        *(code_hash(_Maker), version("torch"), sha256_file(dictionary), _model_sha256(plm)),
        *(_model_sha256(judge or plm), config.model_dump_json(exclude={"concepts", "latents", "structures"})),
    )
    jobs: list[SteeringJob] = []
    for target in targets:
        for first in range(0, len(protein_ids), config.proteins_per_shard):
            rows = slice(first, first + config.proteins_per_shard)
            ids, texts = tuple(protein_ids[rows]), tuple(sequences[rows])
            raised = json.dumps({str(latent): largest for latent, largest in target.raised.items()})
            fingerprint = sha256_text(*shared, target.name, raised, *ids, *texts)
            jobs.append(SteeringJob(len(jobs), target, ids, texts, fingerprint))
    return SteeringPlan(dictionary, plm, judge or plm, config, tuple(jobs))


def fasta(designs: pd.DataFrame) -> str:
    """Return designs as FASTA; the header has the protein, the target, the scale and the sample."""
    columns = ["id", "go_id", "scale", "sample", "generated_sequence"]
    return "".join(
        f">{name}|{target.replace(' ', '_')}|scale{scale:g}|sample{sample}\n{sequence}\n"
        for name, target, scale, sample, sequence in designs[columns].itertuples(index=False)
    )


class _Maker:
    """Makes shards; the models are loaded when the first one is made."""

    def __init__(self, plan: SteeringPlan, root: Path) -> None:
        self._plan, self._root = plan, root

    def __getstate__(self) -> dict[str, Any]:
        return {"_plan": self._plan, "_root": self._root}

    def __call__(self, job: SteeringJob) -> str:
        """Write the shard of a job; return its name."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(self._designs(job), preserve_index=False)
        table = table.replace_schema_metadata({_KEY: job.fingerprint.encode(), _SEAL: UNSEALED.encode()})
        with atomic_path(self._root / job.name, sealed=True) as temporary:
            pq.write_table(table, temporary)
        return job.name

    @cached_property
    def _models(self) -> tuple[Any, Any, Any]:
        """The autoencoder, the decoder, and the decoder of the model that judges."""
        from protsae.fidelity.splicing import require_same_model
        from protsae.plm import load_plm
        from protsae.steering.decoding import Decoder

        plan, checkpoint = self._plan, SaeCheckpoint(self._plan.dictionary)
        model = load_plm(plan.plm)
        made_with = str(checkpoint.metadata.get("model_sha256", ""))
        require_same_model(made_with, model, f"the dictionary {checkpoint.path}")
        decoder = Decoder(model, str(checkpoint.metadata["hook_point"]), plan.config.decoding)
        judge = model if plan.judge == plan.plm else load_plm(plan.judge)
        judging = Decoder(judge, f"layers.{judge.n_layers - 1}.resid_pre", plan.config.decoding)
        return checkpoint.load(), decoder, judging

    def _designs(self, job: SteeringJob) -> pd.DataFrame:
        from protsae.steering.decoding import Template
        from protsae.steering.edits import LatentEdit
        from protsae.steering.naturalness import pseudo_perplexity

        config = self._plan.config
        sae, decoder, judging = self._models
        edit = LatentEdit(sae, job.target.raised, config.suppressed, config.mode, config.keep_error)
        codes = self._codes(job.sequences)
        latents = list(job.target.raised)
        templates = [
            Template(name, text, choose(name, text, acts[:, latents].sum(axis=1), config.positions))
            for name, text, acts in zip(job.protein_ids, job.sequences, codes, strict=True)
        ]
        designs = decoder.decode(templates, edit, config.scale)
        owner = np.repeat(np.arange(len(templates)), config.decoding.n_samples)
        written = [design.sequence for design in designs]
        before, after = (
            np.stack([acts.mean(axis=0) for acts in found]) for found in (codes, self._codes(written))
        )
        perplexities = [
            pseudo_perplexity(judging, texts, n_passes=config.perplexity_passes)
            for texts in (job.sequences, written)
        ]
        rows = []
        for i, (of, design) in enumerate(zip(owner, designs, strict=True)):
            template, change = templates[of], np.abs(after[i] - before[of])
            letters, masked = np.array(list(template.sequence)), template.masked
            n_mutations = int((letters != np.array(list(design.sequence))).sum())
            rows.append(
                {
                    "id": template.protein_id,
                    "go_id": job.target.name,
                    "sample": design.sample,
                    "original_sequence": template.sequence,
                    "masked_sequence": "".join(np.where(masked, _MASK, letters)),
                    "generated_sequence": design.sequence,
                    "positions": ";".join(str(place + 1) for place in np.flatnonzero(masked)),
                    "scale": config.scale,
                    "mode": config.mode,
                    "seed": config.decoding.seed,
                    "n_mutations": n_mutations,
                    "identity": 1 - n_mutations / len(letters),
                    "confidence": design.confidence,
                    "pseudo_perplexity": perplexities[1][i],
                    "original_pseudo_perplexity": perplexities[0][of],
                    "perplexity_by": self._plan.judge.stem,
                    "target_score": after[i, latents].sum(),
                    "original_target_score": before[of, latents].sum(),
                    "off_target_change": np.delete(change, latents).mean(),
                }
            )
        return pd.DataFrame(rows, columns=list(DESIGN_COLUMNS))

    def _codes(self, sequences: Sequence[str]) -> list[np.ndarray]:
        """Return the codes of sequences as they stand, without a mask, [length, d_sae] each."""
        sae, decoder, _ = self._models
        return [sae.encode(values).detach().cpu().numpy() for values in decoder.activations(sequences)]


def choose(protein_id: str, sequence: str, activation: np.ndarray, config: PositionsConfig) -> positions.Mask:
    """Return the residues of a protein that are written anew.

    Args:
        protein_id: its id.
        sequence: its residues.
        activation: of the target at each residue.
        config: how they are chosen.

    Raises:
        InputError: a position outside the protein.
    """
    if config.strategy == "whole":
        return positions.whole(sequence)
    if config.strategy == "given":
        return positions.given(sequence, [place - 1 for place in config.at], protein_id)
    if config.strategy == "region":
        return positions.region(sequence, config.at[0] - 1, config.at[-1], protein_id)
    if config.strategy == "random":
        return positions.random(sequence, config.share, config.seed, protein_id)
    return positions.low_activation(activation, config.share)


@dataclass(frozen=True)
class Designs:
    """Light handle on a finished folder."""

    path: Path

    @cached_property
    def table(self) -> pd.DataFrame:
        """All designs, `DESIGN_COLUMNS`.

        Raises:
            InputError: steering never finished, or a file is damaged.
        """
        return pd.read_parquet(self._whole(TABLE_NAME))

    @property
    def fasta(self) -> Path:
        """The same sequences as FASTA; raises as `table`."""
        return self._whole(FASTA_NAME)

    @cached_property
    def about(self) -> dict[str, Any]:
        """The record of the folder: settings, hash of the dictionary, hashes of the files; raises as
        `table`."""
        found = read_sealed_json(self.path / INDEX_NAME)
        if found is None:
            raise InputError(f"{self.path / INDEX_NAME} is missing or damaged; {_AGAIN}")
        return found

    def _whole(self, name: str) -> Path:
        expected = self.about["files"][name]
        if not (self.path / name).is_file() or sha256_file(self.path / name) != expected:
            raise InputError(
                f"{self.path / name} is missing or damaged: its SHA-256 differs from {INDEX_NAME}; {_AGAIN}"
            )
        return self.path / name


def _model_sha256(path: Path) -> str:
    from protsae.plm import load_plm

    return sha256_file(path) if path.is_file() else load_plm(path).sha256


def _read(path: Path, fingerprint: str) -> pd.DataFrame | None:
    """Return a shard; None if it is missing, damaged or of another job."""
    import pyarrow.parquet as pq

    if not path.is_file() or not is_intact(path):
        return None
    table = pq.read_table(path)
    if (table.schema.metadata or {}).get(_KEY) != fingerprint.encode():
        return None
    found: pd.DataFrame = table.to_pandas()
    return found
