"""An extraction as a list of independent shard jobs, decided before anything is computed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from protsae.activations.config import ExtractionConfig
from protsae.activations.executors import Executor
from protsae.activations.manifest import FORMAT_VERSION, ModelRecord, ProteinCounts
from protsae.activations.passes import Passes
from protsae.activations.pieces import n_kept
from protsae.activations.schema import storage_dtype
from protsae.activations.shard import Recipe, ShardJob, compute_shard, protein_statistics, write_shard
from protsae.core.code import code_hash
from protsae.core.errors import InputError
from protsae.core.files import sha256_text
from protsae.core.plan import Plan
from protsae.plm.checkpoint import PlmModel
from protsae.plm.hook_points import parse_hook_point
from protsae.plm.residues import check_residues

_SALT = "protsae shard order 1"
_LIBRARIES = ("torch", "numpy", "pyarrow", "fair-esm", "protsae")


@dataclass(frozen=True)
class ExtractionPlan(Plan):
    """All jobs of an extraction with what they share; run, it makes the shards that are not complete yet."""

    model: PlmModel
    config: ExtractionConfig
    hook_points: tuple[str, ...]
    jobs: tuple[ShardJob, ...]
    counts: ProteinCounts
    skipped: tuple[str, ...]
    """Ids of proteins skipped for their length, sorted."""
    code_sha256: str
    versions: dict[str, str]

    def run(self, path: Path, how: Executor | None = None) -> None:
        """Make the shards in the folder `path`, see `writer.write_activations`; `how`: who makes them."""
        from protsae.activations.writer import write_activations

        write_activations(self, path, how)

    @property
    def model_record(self) -> ModelRecord:
        """The model, as the manifest and the footers name it."""
        return ModelRecord.model_validate(self.model, from_attributes=True)

    @property
    def recipe(self) -> Recipe:
        """What all jobs share, without the model's weights."""
        footer = {
            "model": self.model.name,
            "model_sha256": self.model.sha256,
            "hook_points": list(self.hook_points),
            "d_model": self.model.d_model,
            "dtype": self.config.dtype,
            "compute_dtype": "bfloat16" if self.config.arithmetic == "bfloat16" else "float32",
            "arithmetic": self.config.arithmetic,
            "code_sha256": self.code_sha256,
        }
        return Recipe(self.config, self.hook_points, self.model.d_model, footer)

    def n_bytes(self, jobs: Sequence[ShardJob]) -> int:
        """Return the bytes of the vectors of `jobs` and of all statistics, before compression."""
        per_vector = len(self.hook_points) * self.model.d_model
        vectors = sum(job.n_rows for job in jobs) * per_vector * storage_dtype(self.config.dtype).itemsize
        return vectors + self.counts.extracted * per_vector * 2 * np.dtype(np.float64).itemsize


def plan_extraction(
    protein_ids: Sequence[str],
    sequences: Sequence[str],
    model: PlmModel,
    config: ExtractionConfig,
    *,
    n_excluded: int = 0,
) -> ExtractionPlan:
    """Decide which protein goes into which shard.

    Proteins are put in the order of a salted hash of their ids, which depends neither on the split nor
    on the order of the input, and cut into shards of equal numbers: every shard is a random sample.

    Args:
        protein_ids: unique ids.
        sequences: their residues.
        model: the loaded model.
        config: what to extract.
        n_excluded: proteins already left out by the split; only counted.

    Raises:
        InputError: no proteins, a repeated id, a letter that is no residue, a layer that the model does not
            have, or long proteins under `long_sequences: error`.
    """
    hook_points = tuple(str(parse_hook_point(name, model.n_layers)) for name in config.captured)
    if len(set(protein_ids)) < len(protein_ids):
        repeated = Counter(protein_ids).most_common(1)[0][0]
        raise InputError(f"protein {repeated!r} is given twice: ids must be unique")
    by_id = dict(zip(protein_ids, sequences, strict=True))
    for name, sequence in by_id.items():
        check_residues(sequence, f"protein {name!r}")
    skipped = skipped_long(by_id, config)
    order = sorted(by_id.keys() - set(skipped), key=lambda name: sha256_text(_SALT, name))
    if not order:
        raise InputError("no proteins to extract: all are excluded by the split or skipped for their length")
    code, versions = shard_code_hash(), {name: version(name) for name in _LIBRARIES}
    made_by = (str(FORMAT_VERSION), code, versions["torch"], versions["pyarrow"], model.sha256)
    shared = (*made_by, *hook_points, config.dtype, str(config.max_tokens_per_batch))
    jobs = []
    for index, first in enumerate(range(0, len(order), config.proteins_per_shard)):
        ids = tuple(order[first : first + config.proteins_per_shard])
        residues = tuple(by_id[name] for name in ids)
        rows = tuple(n_kept(len(sequence), config) for sequence in residues)
        settings = _settings_that_matter(max(map(len, residues)), config)
        fingerprint = sha256_text(*shared, *settings, *ids, *residues)
        jobs.append(ShardJob(index, ids, residues, rows, fingerprint))
    return ExtractionPlan(
        model=model,
        config=config,
        hook_points=hook_points,
        jobs=tuple(jobs),
        counts=_counts(by_id, n_excluded, skipped, config),
        skipped=skipped,
        code_sha256=code,
        versions=versions,
    )


def _settings_that_matter(longest: int, config: ExtractionConfig) -> tuple[str, ...]:
    """Return the settings of long proteins, samples and arithmetic that this shard's bytes depend on."""
    settings: tuple[str, ...] = (config.arithmetic,)
    if longest > config.max_residues:
        settings += (config.long_sequences, str(config.max_residues), str(config.window_overlap))
    if config.residues_per_protein is not None:
        settings += ("sample", str(config.residues_per_protein), str(config.sample_seed))
    return settings


def _counts(
    by_id: dict[str, str],
    n_excluded: int,
    skipped: tuple[str, ...],
    config: ExtractionConfig,
) -> ProteinCounts:
    long_ids = _long(by_id, config)
    is_cut = config.long_sequences == "truncate"
    cut = sum(len(by_id[name]) - config.max_residues for name in long_ids) if is_cut else 0
    residues_skipped = sum(len(by_id[name]) for name in skipped)
    reached = sum(map(len, by_id.values())) - residues_skipped - cut
    left = set(skipped)
    stored = sum(n_kept(len(sequence), config) for name, sequence in by_id.items() if name not in left)
    return ProteinCounts(
        given=len(by_id) + n_excluded,
        excluded=n_excluded,
        skipped_long=len(skipped),
        extracted=len(by_id) - len(skipped),
        extracted_long=0 if is_cut else len(long_ids) - len(skipped),
        truncated=len(long_ids) if is_cut else 0,
        residues_skipped=residues_skipped,
        residues_truncated=cut,
        residues_not_sampled=reached - stored,
    )


def _long(by_id: Mapping[str, str], config: ExtractionConfig) -> list[str]:
    return sorted(name for name, sequence in by_id.items() if len(sequence) > config.max_residues)


def skipped_long(by_id: Mapping[str, str], config: ExtractionConfig) -> tuple[str, ...]:
    """Return the ids of proteins that are skipped for their length, sorted.

    Raises:
        InputError: there are long ones, and `long_sequences` is `error`.
    """
    long_ids = _long(by_id, config)
    if config.long_sequences == "skip":
        return tuple(long_ids)
    if not long_ids or config.long_sequences != "error":
        return ()
    longest = max(long_ids, key=lambda name: len(by_id[name]))
    raise InputError(
        f"{len(long_ids)} sequences exceed max_residues={config.max_residues} (longest {longest} "
        f"{len(by_id[longest])}). Set extraction.long_sequences to window, full, truncate or skip."
    )


def shard_code_hash() -> str:
    """Return the hash of the code that decides what is in a shard: an edit of it makes shards stale."""
    return code_hash(compute_shard, write_shard, protein_statistics, Passes)
