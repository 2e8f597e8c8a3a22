"""Sparse codes of residues on disk: random access by protein, memory-mapped, and the folder says what it is.

A folder holds, in little-endian arrays without headers:

* `codes.json`: format and version, the dictionary, and size and SHA-256 of every other file; written last;
* `proteins.parquet`: `protein_id`, `split`, `length` (residues), `first_row`, `n_rows`, in stored order;
* `row_pointer.bin`, int64 [n_rows + 1]: where the codes of each residue begin;
* `latent.bin`, uint16 (int32 above 65,536 latents) [n_codes]: ascending within a residue;
* `value.bin`, float32 [n_codes]: positive;
* `residue_index.bin`, int32 [n_rows]: 0-based position of each residue in its protein;
* `logit.bin`, float32 [n_rows, n_residue_concepts]: the predictor's logits of concepts of residues; guided
  dictionaries only.

Reading needs neither torch nor the dictionary.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from protsae.core.errors import MALFORMED, InputError
from protsae.core.files import UNSEALED, atomic_folder, has_sha256, sha256_file, write_text_atomic
from protsae.core.tensor_files import refuse_damaged
from protsae.encoding.run import Run
from protsae.metrics.association import ResidueCodes

FORMAT = "protsae.residue_codes"
FORMAT_VERSION = 1
INDEX_NAME = "codes.json"
_PROTEINS = "proteins.parquet"
_AGAIN = "encode again: `kedro run --pipelines encoding`"
_BLOCK_ROWS = 65_536
Part = tuple[list[str], ResidueCodes]
"""Some whole proteins and the codes of their residues, one protein after another."""


@dataclass(frozen=True)
class CodedDictionary:
    """The dictionary that codes come from."""

    run: Run
    d_model: int
    d_sae: int
    concept_ids: tuple[str, ...]
    """Concepts of the defined latents, which come first."""
    residue_concepts: tuple[int, ...] = ()
    """The defined latents whose logits are stored: concepts of residues, ascending."""

    @property
    def n_defined(self) -> int:
        """Number of defined latents."""
        return len(self.concept_ids)

    def require_concepts(self, concepts: pd.DataFrame) -> None:
        """Refuse what `require_concepts` refuses."""
        require_concepts(self.concept_ids, concepts)


def require_concepts(concept_ids: Sequence[str], concepts: pd.DataFrame) -> None:
    """Refuse a guided dictionary whose defined latents are other concepts than the table's, or in another
    order.

    Args:
        concept_ids: concepts of the defined latents; none: nothing is refused.
        concepts: `concept_id`, in the order of `concept_idx`.

    Raises:
        InputError: they differ.
    """
    wanted = concepts["concept_id"].tolist()
    if concept_ids and list(concept_ids) != wanted:
        differing = sorted(set(concept_ids).symmetric_difference(wanted))
        hint = f"such as {differing[0]}" if differing else "in another order"
        raise InputError(
            f"the dictionary was trained on {len(concept_ids)} concepts, the table has {len(wanted)}, "
            f"{hint}: train it again"
        )


class CodeWriter:
    """Writes codes as they come; memory holds a row per protein. A context: what is not closed is no store.

    Args:
        root: an empty folder.
        dictionary: where the codes come from.
    """

    def __init__(self, root: Path, dictionary: CodedDictionary) -> None:
        self._root, self._dictionary = root, dictionary
        self._latent_type = np.dtype("<u2" if dictionary.d_sae <= 2**16 else "<i4")
        names = ["row_pointer", "latent", "value", "residue_index"]
        if dictionary.residue_concepts:
            names.append("logit")
        self._files = {name: _HashedFile(root / f"{name}.bin") for name in names}
        self._files["row_pointer"].write(np.zeros(1, "<i8"))
        self._proteins: list[tuple[str, str, int, int, int]] = []
        self._n_rows = self._n_codes = 0

    def __enter__(self) -> "CodeWriter":
        """Return itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def add(
        self,
        protein_ids: Sequence[str],
        split: str,
        lengths: Sequence[int],
        n_rows: Sequence[int],
        residue_index: NDArray[np.integer],
        codes: ResidueCodes,
        logits: NDArray[np.floating[Any]] | None = None,
    ) -> None:
        """Write some whole proteins of one split.

        Args:
            protein_ids: their ids.
            split: their split.
            lengths: residues of each.
            n_rows: of these, coded.
            residue_index: position of each coded residue in its protein [sum of n_rows].
            codes: of these residues, latents ascending within each.
            logits: [sum of n_rows, n_residue_concepts], where the dictionary has such concepts.
        """
        for protein_id, length, n in zip(protein_ids, lengths, n_rows, strict=True):
            self._proteins.append((protein_id, split, length, self._n_rows, n))
            self._n_rows += n
        self._files["row_pointer"].write(np.asarray(codes.indptr[1:] + self._n_codes, "<i8"))
        self._files["latent"].write(np.asarray(codes.latents, self._latent_type))
        self._files["value"].write(np.asarray(codes.values, "<f4"))
        self._files["residue_index"].write(np.asarray(residue_index, "<i4"))
        if logits is not None:
            self._files["logit"].write(np.asarray(logits, "<f4"))
        self._n_codes += len(codes.latents)

    def close(self, *, temporary: bool = False) -> "CodeStore":
        """Complete the folder and open it, as a temporary one if asked for."""
        records = {f"{name}.bin": file.close() for name, file in self._files.items()}
        columns = ["protein_id", "split", "length", "first_row", "n_rows"]
        table = pd.DataFrame(self._proteins, columns=columns).astype(dict.fromkeys(columns[2:], "int64"))
        path = self._root / _PROTEINS
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path)
        records[_PROTEINS] = {"n_bytes": path.stat().st_size, "sha256": sha256_file(path)}
        about = {
            "seal": UNSEALED,
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "dictionary": asdict(self._dictionary),
            "latent_type": self._latent_type.str,
            "n_rows": self._n_rows,
            "n_codes": self._n_codes,
            "files": records,
        }
        write_text_atomic(self._root / INDEX_NAME, json.dumps(about, indent=1) + "\n", sealed=True)
        return CodeStore(self._root, temporary=temporary)


class CodeStore:
    """A folder of codes. Opening reads its index; codes are read from disk when they are asked for."""

    def __init__(self, root: str | Path, *, temporary: bool = False) -> None:
        """Open `root`.

        Args:
            root: folder with `codes.json`.
            temporary: the folder is removed when the store is no longer used.

        Raises:
            InputError: the folder is no such, is too new, or a file is missing or not as the index says.
        """
        self.root, self._is_temporary = Path(root), temporary
        if temporary:
            finalize(self, shutil.rmtree, self.root, ignore_errors=True)
        self._about = _read_index(self.root)
        if not temporary:
            self._verify()
        given = self._about["dictionary"]
        self.dictionary = CodedDictionary(
            Run(**given["run"]),
            given["d_model"],
            given["d_sae"],
            tuple(given["concept_ids"]),
            tuple(given["residue_concepts"]),
        )
        table = pq.read_table(self.root / _PROTEINS).to_pandas()
        self.protein_ids: list[str] = table["protein_id"].tolist()
        self._split = table["split"].to_numpy(object)
        self._length, self._first, self._n_rows = (
            table[name].to_numpy(np.int64) for name in ("length", "first_row", "n_rows")
        )
        self._position = pd.Index(self.protein_ids)
        n_rows, n_codes = self._about["n_rows"], self._about["n_codes"]
        self._row_pointer = self._array("row_pointer", "<i8", (n_rows + 1,))
        self._latent = self._array("latent", self._about["latent_type"], (n_codes,))
        self._value = self._array("value", "<f4", (n_codes,))
        self._residue_index = self._array("residue_index", "<i4", (n_rows,))

    def __deepcopy__(self, memo: dict[int, Any]) -> "CodeStore":
        """Return itself: nothing in it changes."""
        return self

    @property
    def run(self) -> Run:
        """The dictionary's run."""
        return self.dictionary.run

    @property
    def n_latents(self) -> int:
        """Width of the dictionary."""
        return self.dictionary.d_sae

    def of_split(self, split: str) -> list[str]:
        """Return the stored proteins of a split, in stored order; of training perhaps a sample."""
        return [name for name, its in zip(self.protein_ids, self._split, strict=True) if its == split]

    def residue_index(self, protein_id: str) -> NDArray[np.int32]:
        """Return the 0-based positions of a protein's coded residues [n_rows], ascending."""
        rows = self._rows(self._positions([protein_id])[0])
        return np.array(self._residue_index[rows])

    def codes(self, protein_id: str) -> ResidueCodes:
        """Return the codes of a protein's residues."""
        return self._codes(self._positions([protein_id]))

    def logits(self, protein_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the predictor's logits of proteins' residues [n_rows, n_residue_concepts], in their order.

        Raises:
            InputError: an unknown protein, or a dictionary without a predictor.
        """
        n_concepts = len(self.dictionary.residue_concepts)
        if not n_concepts:
            raise InputError(f"{self.root}: the dictionary has no logits of concepts of residues")
        logits = self._array("logit", "<f4", (self._about["n_rows"], n_concepts))
        parts = [logits[self._rows(position)] for position in self._positions(protein_ids)]
        return np.concatenate([np.empty((0, n_concepts), np.float32), *parts])

    def read(self, protein_ids: Collection[str]) -> Iterator[Part]:
        """Yield proteins in stored order, joined until they hold some ten thousand residues.

        Raises:
            InputError: an unknown protein.
        """
        positions = np.sort(self._positions(protein_ids))
        block = (np.cumsum(self._n_rows[positions]) - 1) // _BLOCK_ROWS
        for part in np.split(positions, np.flatnonzero(np.diff(block)) + 1):
            if len(part):
                yield [self.protein_ids[position] for position in part], self._codes(part)

    def require_whole(self, lengths: Mapping[str, int]) -> None:
        """Refuse proteins of which not every residue is coded.

        Args:
            lengths: protein id to residues of its sequence.

        Raises:
            InputError: a protein is not stored, or has other residues than its sequence.
        """
        names = list(lengths)
        stored = self._n_rows[self._positions(names)].tolist()
        require_all_residues(names, stored, list(lengths.values()))

    def _verify(self) -> None:
        for name, record in self._about["files"].items():
            if not has_sha256(self.root / name, record["sha256"]):
                raise InputError(
                    f"{self.root / name} is damaged: its SHA-256 differs from the index; {_AGAIN}"
                )

    def save(self, target: Path) -> None:
        """Move or copy the folder to `target`, which is there whole or not at all.

        A temporary folder is moved, so that the store is not to be read any more; another one is copied.
        """
        with atomic_folder(target, written_last=INDEX_NAME) as fresh:
            for name in [*self._about["files"], INDEX_NAME]:
                (shutil.move if self._is_temporary else shutil.copyfile)(self.root / name, fresh / name)

    def _array(self, name: str, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
        if 0 in shape:
            return np.zeros(shape, kind)
        return np.memmap(self.root / f"{name}.bin", dtype=kind, mode="r", shape=shape)

    def _positions(self, protein_ids: Collection[str]) -> NDArray[np.int64]:
        positions = self._position.get_indexer(pd.Index(list(protein_ids), dtype=object))
        if (positions < 0).any():
            unknown = list(protein_ids)[int(np.flatnonzero(positions < 0)[0])]
            raise InputError(
                f"{self.root} has no codes of {int((positions < 0).sum())} proteins (first: {unknown!r}): "
                "add their split to encoding.stored_splits, or, for k-sparse probes, raise "
                "encoding.train_residues"
            )
        return np.asarray(positions, np.int64)

    def _rows(self, position: int) -> slice:
        return slice(int(self._first[position]), int(self._first[position] + self._n_rows[position]))

    def _codes(self, positions: NDArray[np.int64]) -> ResidueCodes:
        """Return the codes of some proteins; those that lie side by side are read at once."""
        ends = self._first[positions] + self._n_rows[positions]
        runs = np.split(
            np.arange(len(positions)), np.flatnonzero(self._first[positions[1:]] != ends[:-1]) + 1
        )
        counts, latents, values = [np.zeros(1, np.int64)], [], []
        for run in runs:
            pointer = self._row_pointer[int(self._first[positions[run[0]]]) : int(ends[run[-1]]) + 1]
            counts.append(np.diff(pointer))
            within = slice(int(pointer[0]), int(pointer[-1]))
            latents.append(self._latent[within].astype(np.int32))
            values.append(self._value[within])
        return ResidueCodes(
            np.cumsum(np.concatenate(counts)), np.concatenate(latents), np.concatenate(values)
        )


def require_all_residues(protein_ids: Sequence[str], stored: Sequence[int], wanted: Sequence[int]) -> None:
    """Refuse proteins with another number of stored residues than their sequences have.

    Raises:
        InputError: naming the first.
    """
    for name, n_stored, n_residues in zip(protein_ids, stored, wanted, strict=True):
        if n_stored != n_residues:
            raise InputError(
                f"{name} has {n_residues} residues but activations of {n_stored}: what is measured residue "
                "by residue needs all of them. Extract again, with residues_per_protein null and "
                "long_sequences window or full"
            )


class _HashedFile:
    """A file that is hashed while it is written."""

    def __init__(self, path: Path) -> None:
        self._handle, self._digest, self._n_bytes = path.open("wb"), hashlib.sha256(), 0

    def write(self, values: NDArray[Any]) -> None:
        data = np.ascontiguousarray(values).view(np.uint8).reshape(-1).data
        self._handle.write(data)
        self._digest.update(data)
        self._n_bytes += len(data)

    def close(self) -> dict[str, Any]:
        if not self._handle.closed:
            self._handle.flush()
            os.fsync(self._handle.fileno())
            self._handle.close()
        return {"n_bytes": self._n_bytes, "sha256": self._digest.hexdigest()}


def _read_index(root: Path) -> dict[str, Any]:
    path = root / INDEX_NAME
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files, form, version = about["files"], about["format"], int(about["format_version"])
    except (OSError, *MALFORMED) as error:
        raise InputError(f"{path} is no index of residue codes ({error}); {_AGAIN}") from error
    if form != FORMAT or version > FORMAT_VERSION:
        raise InputError(
            f"{path} is of format {form} {version}, this version reads {FORMAT} up to {FORMAT_VERSION}: "
            f"update protsae, or {_AGAIN}"
        )
    refuse_damaged(path, sealed=True)
    for name, record in files.items():
        size = (root / name).stat().st_size if (root / name).is_file() else None
        if size != record["n_bytes"]:
            raise InputError(f"{root / name} has {size} bytes, the index says {record['n_bytes']}; {_AGAIN}")
    return about
