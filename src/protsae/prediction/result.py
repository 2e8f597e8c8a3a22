"""The finished tables of a prediction: one file each, as Parquet and as TSV, and what they were made of."""

import json
import shutil
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from protsae.core.errors import MALFORMED, InputError
from protsae.core.files import UNSEALED, atomic_path, has_sha256, sha256_file, write_text_atomic
from protsae.core.tensor_files import refuse_damaged
from protsae.core.threads import in_threads
from protsae.prediction.comparing import VARIANT_SCHEMAS
from protsae.prediction.config import PredictionConfig
from protsae.prediction.probes import RATIOS, one_hot, probe_variants, summary
from protsae.prediction.shards import DOCUMENTS_NAME, ShardRecord, read_table
from protsae.prediction.tables import SCHEMAS, shared_texts, table_of

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "protsae.prediction"
FORMAT_VERSION = 1
RECORD_NAME = "prediction.json"
SHARDS_NAME = "shards"
FEATURES = "variant_features"
PROBE_TABLES = ("variant_probes", "variant_probe_summary")
_DESCRIBED = (
    *("dictionary_sha256", "language_model", "language_model_sha256", "hook_point", "release"),
    *("trained_on", "protsae", "marks"),
)
"""Lines at the top of every TSV file."""
_AGAIN = "predict again: `kedro run --pipelines prediction`"
_MIN_SCORED = 20
"""Variants with a score that probes need at least."""


class Prediction:
    """Handle on a finished prediction; tables are read when they are asked for.

    Args:
        path: the folder.

    Raises:
        InputError: it is not complete, or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        record = self.path / RECORD_NAME
        try:
            self.record: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
            form, self._files = self.record["format"], dict(self.record["files"])
        except FileNotFoundError:
            raise InputError(f"{self.path} holds no finished prediction; {_AGAIN}") from None
        except (OSError, *MALFORMED) as error:
            raise InputError(f"{record} is no record of a prediction ({error}); {_AGAIN}") from error
        if form != FORMAT or self.record.get("format_version") != FORMAT_VERSION:
            raise InputError(f"{record} is of another format or version; {_AGAIN}")
        refuse_damaged(record, sealed=True)

    @classmethod
    def is_of(cls, path: Path, fingerprint: str) -> bool:
        """Return whether a folder holds the finished prediction of a fingerprint, whole."""
        try:
            found = cls(path)
        except InputError:
            return False
        same = found.record.get("fingerprint") == fingerprint
        return same and all(has_sha256(path / name, sha256) for name, sha256 in found._files.items())

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        return tuple(name.removesuffix(".parquet") for name in self._files if name.endswith(".parquet"))

    def table(self, name: str) -> "pd.DataFrame":
        """Return a table; docs/prediction.md has its columns.

        Raises:
            InputError: there is none of this name, or it is damaged.
        """
        import pandas as pd

        if name not in self.tables:
            raise InputError(f"{self.path} has no table {name}; there are {', '.join(self.tables)}")
        return pd.read_parquet(self._whole(f"{name}.parquet"))

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield what is known of each protein, for pages that show it.

        Raises:
            InputError: the file is damaged.
        """
        with self._whole(DOCUMENTS_NAME).open(encoding="ascii") as lines:
            yield from map(json.loads, lines)

    def _whole(self, name: str) -> Path:
        path = self.path / name
        if not path.is_file() or not has_sha256(path, self._files[name]):
            raise InputError(f"{path} is damaged: its SHA-256 is not that in {RECORD_NAME}; {_AGAIN}")
        return path


def write_result(
    path: Path,
    shards: Path,
    records: Sequence[ShardRecord],
    about: Mapping[str, Any],
    config: PredictionConfig,
) -> None:
    """Join shards into one file per table, one shard of each in memory at a time; the record is written last,
    then the shards are removed.

    Args:
        path: the folder of the result.
        shards: that of the shards.
        records: the shards in their order.
        about: what the record says.
        config: settings of probes and tracks.
    """
    for old in _ours(path):
        old.unlink()
    proteins = [record.name for record in records if DOCUMENTS_NAME in record.files]
    others = [record.name for record in records if DOCUMENTS_NAME not in record.files]
    head = "".join(f"# {key}: {_one_line(about[key])}\n" for key in _DESCRIBED)
    with_tracks = about["n_proteins"] <= config.max_track_proteins
    writes = [partial(_join_documents, path, [shards / folder for folder in proteins])]
    for name, schema in SCHEMAS.items():
        parts = _parts(shards, proteins, name)
        if name == "proteins" and about["skipped"]:
            parts = _with_skipped(parts, about["skipped"])
        as_tsv = name != "residue_tracks" or with_tracks
        writes.append(partial(_write, path / name, schema, parts, head, as_tsv=as_tsv))
    for name, schema in VARIANT_SCHEMAS.items() if others else ():
        if name != FEATURES:
            parts = _parts(shards, others, name)
            writes.append(partial(_write, path / name, schema, parts, head, as_tsv=True))
    deque(in_threads(lambda write: write(), writes), maxlen=0)
    if others:
        _write_probes(path, [shards / folder for folder in others], head, config)
    ours = _ours(path)
    files = dict(zip((file.name for file in ours), in_threads(sha256_file, ours), strict=True))
    record = {"format": FORMAT, "format_version": FORMAT_VERSION, "seal": UNSEALED, **about, "files": files}
    write_text_atomic(path / RECORD_NAME, json.dumps(record, indent=1) + "\n", sealed=True)
    shutil.rmtree(shards)


def _join_documents(path: Path, folders: Sequence[Path]) -> None:
    with atomic_path(path / DOCUMENTS_NAME) as temporary, temporary.open("wb") as joined:
        for folder in folders:
            with (folder / DOCUMENTS_NAME).open("rb") as part:
                shutil.copyfileobj(part, joined)


def _ours(path: Path) -> list[Path]:
    """Return the files of tables and documents that are there."""
    stems = {*SCHEMAS, *VARIANT_SCHEMAS, *PROBE_TABLES, Path(DOCUMENTS_NAME).stem}
    return [file for file in sorted(path.iterdir()) if file.is_file() and file.stem in stems]


def _parts(shards: Path, folders: Sequence[str], name: str) -> Iterator[pa.Table]:
    yield from (read_table(shards / folder, name) for folder in folders)


def _with_skipped(parts: Iterator[pa.Table], skipped: Mapping[str, str]) -> Iterator[pa.Table]:
    yield from parts
    yield table_of(
        "proteins", {"protein_id": list(skipped), "note": [f"skipped: {why}" for why in skipped.values()]}
    )


def _write(stem: Path, schema: pa.Schema, parts: Iterator[pa.Table], head: str, *, as_tsv: bool) -> None:
    from pyarrow import csv

    options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    tsv = stem.with_suffix(".tsv")
    with (
        atomic_path(stem.with_suffix(".parquet")) as temporary,
        # without Arrow's own schema, readers see text and not how it was held
        pq.ParquetWriter(
            temporary, schema, compression="zstd", store_schema=False, use_dictionary=shared_texts(schema)
        ) as parquet,
        atomic_path(tsv) as text,
        text.open("wb") as handle,
    ):
        handle.write((head + "\t".join(schema.names) + "\n").encode())  # pyarrow would quote the names
        with csv.CSVWriter(handle, _plain(schema), write_options=options) as writer:
            for part in parts:
                parquet.write_table(part)
                if as_tsv:
                    writer.write_table(_shortened(part))
    if not as_tsv:
        tsv.unlink()


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return a schema with texts as such, not as places in a dictionary."""
    kinds = [field.type for field in schema]
    kinds = [kind.value_type if pa.types.is_dictionary(kind) else kind for kind in kinds]
    return pa.schema(zip(schema.names, kinds, strict=True))


def _shortened(table: pa.Table) -> pa.Table:
    """Return a table whose numbers have six significant digits, and whose texts need no quotes."""

    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            column = table[field.name].combine_chunks()
            texts = _one_line_texts(column.dictionary).take(column.indices)
            table = table.set_column(place, field.name, texts)
        if pa.types.is_string(field.type):
            table = table.set_column(place, field.name, _one_line_texts(table[field.name]))
        if pa.types.is_floating(field.type):
            values = table[field.name].to_numpy(zero_copy_only=False).astype(np.float64)
            with np.errstate(divide="ignore", invalid="ignore"):
                digits = 5 - np.floor(np.log10(np.abs(values)))
            scale = np.power(10.0, np.where(np.isfinite(digits), digits, 0))
            short = np.where(np.isfinite(values), np.round(values * scale) / scale, values)
            table = table.set_column(place, field, pa.array(short, field.type, from_pandas=True))
    return table


def _one_line_texts(texts: Any) -> Any:
    import pyarrow.compute as pc

    return pc.replace_substring_regex(pc.replace_substring(texts, '"', "''"), r"[\t\r\n]", " ")


def _write_probes(path: Path, folders: Sequence[Path], head: str, config: PredictionConfig) -> None:
    import pandas as pd

    scored, ratios = (
        pd.concat([read_table(folder, name).to_pandas() for folder in folders])
        for name in (FEATURES, "variants")
    )
    scored = scored.dropna(subset="score")
    found = []
    for protein_id, rows in scored.groupby("protein_id", sort=False):
        if len(rows) < _MIN_SCORED:
            continue
        of = ratios[ratios["protein_id"] == protein_id].set_index("line").loc[rows["line"]]
        vectors = {
            name: np.stack(rows[name].tolist()).astype(np.float64) for name in ("latents", "activations")
        }
        vectors["one_hot"] = _one_hot_of(rows["variant"].tolist())
        without = {name: of[name].to_numpy(np.float64) for name in RATIOS}
        scores = rows["score"].to_numpy(np.float64)
        found.append(probe_variants(scores, vectors, without, config.probes, str(protein_id)))
    if found:
        probes = pd.concat(found, ignore_index=True)
        for name, table in zip(PROBE_TABLES, (probes, summary(probes)), strict=True):
            arrow = pa.Table.from_pandas(table, preserve_index=False)
            _write(path / name, arrow.schema, iter([arrow]), head, as_tsv=True)


def _one_hot_of(variants: list[str]) -> Any:
    """Return the one-hot residues of variants at the positions that any of them changes."""
    changes = [{part[1:-1]: part[-1] for part in name.split(":")} for name in variants]
    wild = {part[1:-1]: part[0] for name in variants for part in name.split(":")}
    return one_hot(["".join(of.get(place, letter) for place, letter in wild.items()) for of in changes])


def _one_line(value: Any) -> str:
    return " ".join(str(value).split())
