"""Reading activation shards: verified against the manifest, one row group in memory at a time."""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from protsae.activations.manifest import MANIFEST_NAME, FileRecord, Manifest
from protsae.activations.schema import (
    footer_of,
    row_groups,
    sum_column,
    sum_sq_column,
    vectors_to_numpy,
)
from protsae.core.errors import InputError
from protsae.core.files import has_sha256, sha256_text

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

    @classmethod
    def of(cls, n_rows: int, total: np.ndarray, total_sq: np.ndarray) -> "ActivationStatistics":
        """Return the moments from sums and sums of squares, float64 [d_model]."""
        mean = total / n_rows
        return cls(n_rows, mean, np.maximum(total_sq / n_rows - mean**2, 0.0))

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
        columns = ("shard", "first_row", "n_rows", "length")
        index = self._read(self.manifest.statistics, ["protein_id", *columns])
        self.protein_ids: list[str] = index["protein_id"].to_pylist()
        self._shard, self._first_row, self._n_rows, self._length = (
            index[name].to_numpy() for name in columns
        )
        self._group, self._group_start = _groups_of(self._shard, self._n_rows)
        self._position = {protein_id: i for i, protein_id in enumerate(self.protein_ids)}

    def fingerprint(self) -> str:
        """Return a hash that differs where the stored activations do, in hex."""
        return sha256_text(*(record.sha256 for record in (*self.manifest.shards, self.manifest.statistics)))

    def hook_point_of(self, wanted: str) -> str:
        """Return the hook point to read: the one that is wanted."""
        return wanted

    def lengths(self) -> dict[str, int]:
        """Return the number of residues of every protein, stored or not."""
        return dict(zip(self.protein_ids, self._length.tolist(), strict=True))

    def n_rows(self) -> dict[str, int]:
        """Return the number of stored residues of every protein."""
        return dict(zip(self.protein_ids, self._n_rows.tolist(), strict=True))

    def iter_proteins(
        self, hook_point: str, protein_ids: Collection[str] | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yield proteins with their activations, in stored order, holding one row group in memory.

        Args:
            hook_point: which column.
            protein_ids: which proteins; all where None.

        Yields:
            Protein id and float32 [n_rows, d_model].

        Raises:
            InputError: unknown hook point or protein, a protein named twice, or a damaged shard.
        """
        for position, _, block in self.iter_stored(hook_point, protein_ids):
            yield self.protein_ids[position], block.astype(np.float32)

    def iter_residues(
        self, hook_point: str, protein_ids: Collection[str] | None = None
    ) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        """Yield as `iter_proteins`, with the 0-based positions [n_rows] of the residues in between."""
        for position, residues, block in self.iter_stored(hook_point, protein_ids):
            yield self.protein_ids[position], residues, block.astype(np.float32)

    def iter_stored(
        self, hook_point: str, protein_ids: Collection[str] | None = None
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield positions in `protein_ids` of the store, residue indices and stored values, in stored order.

        See `iter_proteins`; residue indices are 0-based [n_rows], values are views [n_rows, d_model] in the
        storage type.
        """
        self._check_hook_point(hook_point)
        for group in self.groups(self.protein_ids if protein_ids is None else protein_ids):
            yield from self.read_group(hook_point, group)

    @property
    def largest_group(self) -> int:
        """Rows of the largest row group: what reading any protein brings into memory at most."""
        return int(np.bincount(self._group_start, weights=self._n_rows).max())

    def groups(self, protein_ids: Collection[str]) -> list[np.ndarray]:
        """Return the positions of proteins in stored order, cut by the row groups that hold them.

        Raises:
            InputError: a protein is unknown or named twice.
        """
        positions = np.sort(self.positions(protein_ids))
        return np.split(positions, np.flatnonzero(np.diff(self._group_start[positions])) + 1)

    def read_group(
        self, hook_point: str, positions: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Read one of `groups` and yield its proteins as `iter_stored` does."""
        if not len(positions):
            return
        record, group = self.manifest.shards[self._shard[positions[0]]], int(self._group[positions[0]])
        is_whole = (self._n_rows[positions] == self._length[positions]).all()
        columns = [hook_point] if is_whole else [hook_point, "residue_index"]
        table = self._read(record, columns, group)
        values = vectors_to_numpy(table[hook_point])
        index = None if is_whole else table["residue_index"].to_numpy()
        start = int(self._first_row[self._group_start[positions[0]]])
        for position in positions.tolist():
            first, n_rows = int(self._first_row[position]) - start, int(self._n_rows[position])
            residues = np.arange(n_rows) if index is None else index[first : first + n_rows].astype(np.int64)
            yield position, residues, values[first : first + n_rows]

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
        n_rows = int(self._n_rows[positions].sum())
        total, total_sq = np.zeros((2, self.d_model))
        for _, (sums, squares) in self._stored_sums(
            positions, sum_column(hook_point), sum_sq_column(hook_point)
        ):
            total, total_sq = total + sums.sum(axis=0), total_sq + squares.sum(axis=0)
        return ActivationStatistics.of(n_rows, total, total_sq)

    def protein_means(self, hook_point: str, protein_ids: Sequence[str]) -> np.ndarray:
        """Return each protein's mean over its stored residues, float32 [n_proteins, d_model], as given.

        Raises:
            InputError: unknown hook point or protein.
        """
        self._check_hook_point(hook_point)
        positions = self.positions(protein_ids)
        order = np.argsort(positions)
        means = np.empty((len(positions), self.d_model), np.float32)
        for chosen, (sums,) in self._stored_sums(positions[order], sum_column(hook_point)):
            means[order[chosen]] = sums / self._n_rows[positions[order[chosen]], np.newaxis]
        return means

    def _stored_sums(
        self, positions: np.ndarray, *columns: str
    ) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        """Yield, shard by shard, which of `positions` (ascending) lie there and their values [n, d_model]."""
        for shard in np.unique(self._shard[positions]).tolist():  # each is a row group of the statistics
            table = self._read(self.manifest.statistics, list(columns), shard)
            chosen = np.flatnonzero(self._shard[positions] == shard)
            within = positions[chosen] - np.searchsorted(self._shard, shard)
            yield chosen, [vectors_to_numpy(column)[within] for column in table.columns]

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

    def _read(self, record: FileRecord, columns: list[str], group: int | None = None) -> pa.Table:
        """Read columns of a file, or of one of its row groups, if its checksum is that of the manifest."""
        path = self.root / record.name
        try:
            if not has_sha256(path, record.sha256):
                raise OSError("its checksum is not that of the manifest")
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                return file.read(columns) if group is None else file.read_row_group(group, columns)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is damaged ({error}); {_REBUILD}") from error


def _check_footer(path: Path, fingerprint: str) -> None:
    try:
        about, _ = footer_of(path)
    except OSError as error:
        raise InputError(f"{path} is not readable as Parquet ({error}); {_REBUILD}") from error
    if about.get("fingerprint") != fingerprint:
        raise InputError(f"{path} comes from another extraction than the manifest's; extract again")


def _groups_of(shard: np.ndarray, n_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for every protein the number of its row group in its shard, and the first protein in it."""
    group, start = np.empty((2, len(shard)), dtype=np.int64)
    firsts = np.flatnonzero(np.diff(shard, prepend=-1))
    for first, last in zip(firsts, [*firsts[1:], len(shard)], strict=True):
        begins = np.cumsum(n_rows[first:last]) - n_rows[first:last]
        group_rows = [row for row, _ in row_groups(n_rows[first:last].tolist())]
        number = np.searchsorted(group_rows, begins, side="right") - 1
        group[first:last] = number
        start[first:last] = first + np.searchsorted(number, number)
    return group, start
