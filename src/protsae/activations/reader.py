"""Reading activation shards: verified against the manifest, one shard in memory at a time."""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from protsae.activations.manifest import MANIFEST_NAME, FileRecord, Manifest
from protsae.activations.schema import footer_of, sum_column, sum_sq_column, vectors_to_numpy
from protsae.core.errors import InputError

_LOGGER = logging.getLogger(__name__)
_REBUILD = "extract again: what is whole is kept, this file is rebuilt"


@dataclass(frozen=True)
class ActivationStatistics:
    """Moments of the stored activations of some proteins, over residues."""

    n_rows: int
    """Residues."""
    mean: np.ndarray
    """Mean vector, float64 [d_model]."""
    variance: np.ndarray
    """Population variance per dimension, E[x^2] - E[x]^2, float64 [d_model]."""

    @property
    def total_variance(self) -> float:
        """Variance summed over dimensions: the mean of ||x - mean||^2."""
        return float(self.variance.sum())

    @property
    def outlier_ratio(self) -> float:
        """||mean|| / ||std||. Large: a few dimensions dominate, latents tend to die (arXiv 2605.31518)."""
        return float(np.linalg.norm(self.mean) / np.sqrt(self.total_variance))


class ActivationStore:
    """A complete folder of activation shards. Opening reads footers and the index, no vectors."""

    def __init__(self, root: str | Path) -> None:
        """Open `root` and check it against its manifest.

        Args:
            root: folder with `manifest.json`.

        Raises:
            InputError: no manifest; a file that it lists is missing, truncated or made by another extraction.
        """
        self.root = Path(root)
        self.manifest = Manifest.read(self.root)
        self.hook_points = self.manifest.hook_points
        self.d_model = self.manifest.d_model
        self._verify()
        index = self._read(self.manifest.statistics, ["protein_id", "shard", "first_row", "length"])
        self.protein_ids: list[str] = index["protein_id"].to_pylist()
        self._shard, self._first_row, self._length = (
            index[name].to_numpy() for name in ("shard", "first_row", "length")
        )
        self._position = {protein_id: i for i, protein_id in enumerate(self.protein_ids)}

    def lengths(self) -> dict[str, int]:
        """Return the number of residues of every protein."""
        return dict(zip(self.protein_ids, self._length.tolist(), strict=True))

    def iter_proteins(
        self, hook_point: str, protein_ids: Collection[str] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield proteins with their activations, in stored order, holding one shard in memory.

        Args:
            hook_point: which column.
            protein_ids: which proteins; all where None.

        Yields:
            Protein id and float32 [length, d_model].

        Raises:
            InputError: unknown hook point or protein, a protein named twice, or a damaged shard.
        """
        for position, block in self.iter_stored(hook_point, protein_ids):
            yield self.protein_ids[position], block.astype(np.float32)

    def iter_stored(
        self, hook_point: str, protein_ids: Collection[str] | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield positions in `protein_ids` of the store with views of the stored values, in stored order.

        See `iter_proteins`; the views are [length, d_model] in the storage type.
        """
        self._check_hook_point(hook_point)
        positions = self.positions(self.protein_ids if protein_ids is None else protein_ids)
        positions.sort()
        for shard in np.unique(self._shard[positions]).tolist():
            values = vectors_to_numpy(self._read(self.manifest.shards[shard], [hook_point])[hook_point])
            for position in positions[self._shard[positions] == shard].tolist():
                first = self._first_row[position]
                yield position, values[first : first + self._length[position]]

    def positions(self, protein_ids: Collection[str]) -> np.ndarray:
        """Return the positions of proteins in stored order, int64, as given.

        Raises:
            InputError: a protein is unknown or named twice.
        """
        unknown = [protein_id for protein_id in protein_ids if protein_id not in self._position]
        if unknown:
            raise InputError(
                f"{len(unknown)} proteins have no activations in {self.root} (first: {unknown[0]!r}); "
                "they may be excluded from the split or skipped for their length: extract them first"
            )
        positions = np.array([self._position[protein_id] for protein_id in protein_ids], dtype=np.int64)
        if len(np.unique(positions)) < len(positions):
            raise InputError("a protein is named twice in the list of proteins to read")
        return positions

    def statistics(self, hook_point: str, protein_ids: Sequence[str]) -> ActivationStatistics:
        """Return mean and variance over all residues of some proteins, from the stored per-protein sums.

        Raises:
            InputError: unknown hook point or protein, or no protein.
        """
        self._check_hook_point(hook_point)
        if not protein_ids:
            raise InputError(f"statistics of {hook_point} over no proteins are undefined: the list is empty")
        positions = np.sort(self.positions(protein_ids))  # one order of summation, whatever order is asked
        columns = self._read(self.manifest.statistics, [sum_column(hook_point), sum_sq_column(hook_point)])
        total, total_sq = (vectors_to_numpy(column)[positions].sum(axis=0) for column in columns.columns)
        n_rows = int(self._length[positions].sum())
        mean = total / n_rows
        return ActivationStatistics(n_rows, mean, np.maximum(total_sq / n_rows - mean**2, 0.0))

    def _check_hook_point(self, hook_point: str) -> None:
        if hook_point not in self.hook_points:
            raise InputError(
                f"{self.root} has no activations of hook point '{hook_point}', only of "
                f"{', '.join(self.hook_points)}; set `hook_point` to one of them or extract again"
            )

    def _verify(self) -> None:
        fingerprints = {shard.name: shard.fingerprint for shard in self.manifest.shards}
        for record in (*self.manifest.shards, self.manifest.statistics):
            path = self.root / record.name
            if not path.is_file():
                raise InputError(f"{path} is in the manifest but not on disk; {_REBUILD}")
            if path.stat().st_size != record.n_bytes:
                raise InputError(
                    f"{path} has {path.stat().st_size} bytes, the manifest says {record.n_bytes}: "
                    f"truncated or replaced; {_REBUILD}"
                )
            if record.name in fingerprints:
                _check_footer(path, fingerprints[record.name])
        known = {*fingerprints, self.manifest.statistics.name, MANIFEST_NAME}
        orphans = sorted(path.name for path in self.root.iterdir() if path.name not in known)
        if orphans:
            _LOGGER.warning(
                "%s: ignoring files that its manifest does not list: %s", self.root, ", ".join(orphans)
            )

    def _read(self, record: FileRecord, columns: list[str]) -> pa.Table:
        path = self.root / record.name
        try:
            return pq.read_table(path, columns=columns, page_checksum_verification=True, partitioning=None)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is damaged ({error}); {_REBUILD}") from error


def _check_footer(path: Path, fingerprint: str) -> None:
    try:
        about, _ = footer_of(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} is not readable as Parquet ({error}); {_REBUILD}") from error
    if about.get("fingerprint") != fingerprint:
        raise InputError(f"{path} comes from another extraction than the manifest's; extract again")
