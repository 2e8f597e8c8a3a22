"""The manifest of a folder of activation shards: what it holds, how it was made, checksums. Written last."""

import json
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.core.files import UNSEALED, write_text_atomic
from protsae.core.tensor_files import refuse_damaged
from protsae.plm.arithmetic import Arithmetic

MANIFEST_NAME = "manifest.json"
FORMAT: Final = "protsae.activations"
FORMAT_VERSION: Final = 2


class FileRecord(Config):
    """One file of the folder."""

    name: str
    """File name within the folder."""
    n_bytes: int
    """Its size in bytes."""
    sha256: str
    """SHA-256 of its bytes, hex."""


class MeasuredError(Config):
    """How far activations at a hook point are from those in fair-esm's arithmetic, over one protein."""

    relative: float = Field(ge=0)
    """||difference|| / ||value||."""
    largest: float = Field(ge=0)
    """Largest |difference| / max(1, |value|)."""


class ShardRecord(FileRecord):
    """One shard."""

    rows: int
    """Residues in it: one residue is one row."""
    halved_batches: int
    """Batches that ran out of memory and were run in halves."""
    device: str = "cpu"
    """Type of device that computed it."""
    error: dict[str, MeasuredError] | None = None
    """Per hook point, measured on its first protein; null where the arithmetic is fair-esm's."""
    n_proteins: int
    """Proteins in it."""
    fingerprint: str
    """What the shard was made from and how; the same text is in the shard's own footer."""


class ModelRecord(Config):
    """The protein language model."""

    name: str
    """Name of the checkpoint."""
    sha256: str
    """SHA-256 of the checkpoint file, hex."""
    n_layers: int
    """Transformer layers."""
    d_model: int
    """Width of the residual stream."""
    n_heads: int
    """Attention heads."""


class ProteinCounts(Config):
    """Where the proteins went."""

    given: int
    """Proteins handed to the extraction."""
    excluded: int
    """Left out because the split excludes them."""
    skipped_long: int
    """Left out because they are longer than `max_residues` (`long_sequences: skip`)."""
    extracted: int
    """Proteins in the shards."""
    extracted_long: int
    """Extracted with all residues although longer than `max_residues` (`window` and `full`)."""
    truncated: int
    """Extracted up to `max_residues` (`truncate`)."""
    residues_skipped: int
    """Residues of the proteins skipped."""
    residues_truncated: int
    """Residues after `max_residues` of the proteins truncated."""
    residues_not_sampled: int
    """Other residues that are not stored, because of `residues_per_protein`."""


class Manifest(Config):
    """Description of one complete extraction."""

    format: Literal["protsae.activations"] = FORMAT
    """Name of the format."""
    format_version: Literal[2] = FORMAT_VERSION
    """Version of the format; readers refuse others."""
    model: ModelRecord
    """Where the activations come from."""
    hook_points: tuple[str, ...]
    """Captured points of the model: one column of the shards each."""
    d_model: int
    """Length of every vector."""
    dtype: Literal["float16", "float32", "bfloat16"]
    """Type of the stored vectors; bfloat16 lies in columns of float32."""
    compute_dtype: Literal["float32", "bfloat16"]
    """Type of the numbers that linear layers multiplied."""
    arithmetic: Arithmetic | Literal["fast"] = "fair_esm"
    """How they were computed. Earlier stores may say `fast`, an arithmetic since retired."""
    max_tokens_per_batch: int
    """Token budget of the forward pass; fixes the composition of its batches."""
    long_sequences: Literal["window", "full", "skip", "truncate", "error"]
    """What was done with proteins above `max_residues`."""
    max_residues: int
    """Residues up to which a protein is run whole."""
    window_overlap: int
    """Least number of residues that neighbouring windows share (`long_sequences: window`)."""
    residues_per_protein: int | None
    """Residues stored of each protein; null: all."""
    sample_seed: int
    """Seed by which they were drawn."""
    sequences_sha256: str
    """Hash of all protein ids and sequences, in stored order."""
    code_sha256: str
    """Hash of the code that makes activations."""
    versions: dict[str, str]
    """Versions of the libraries."""
    proteins: ProteinCounts
    """Proteins read, left out and extracted."""
    skipped: tuple[str, ...]
    """Ids of the proteins skipped for their length."""
    rows: int
    """Residues in all shards together."""
    shards: tuple[ShardRecord, ...]
    """The shards, in stored order."""
    statistics: FileRecord
    """Per-protein index, sums and sums of squares."""
    seal: str | None = None
    """Checksum of the manifest itself (`core.files`); earlier stores may have none."""

    def write(self, root: Path) -> None:
        """Write the manifest into `root`, atomically. Same content, same bytes."""
        content = {**self.model_dump(), "seal": UNSEALED}
        write_text_atomic(root / MANIFEST_NAME, json.dumps(content, indent=1) + "\n", sealed=True)

    @classmethod
    def read(cls, root: Path) -> "Manifest":
        """Read the manifest in `root`.

        Raises:
            InputError: there is none, or it is not one of this format and version.
        """
        path = root / MANIFEST_NAME
        try:
            refuse_damaged(path)
            return cls.model_validate_json(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(
                f"{path} is missing, the extraction never finished: `kedro run --pipelines extraction`"
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "file"
            raise InputError(
                f"{path} is not a manifest of format {FORMAT} version {FORMAT_VERSION} "
                f"({where}: {first['msg']}); delete the folder and extract again"
            ) from error
