"""Releases as folders: opened lightly, written whole."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protsae import __version__
from protsae.core.errors import InputError
from protsae.core.files import UNSEALED, atomic_folder, has_sha256, sha256_file, write_text_atomic
from protsae.release.record import (
    PLM_NAME,
    RECORD_NAME,
    SAE_NAME,
    TABLES,
    DataRecord,
    FileRecord,
    LanguageModelRecord,
    ReleaseRecord,
    again,
    read_record,
)
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sae.made_for import Model, check_batch, check_model, made_for

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from protsae.plm.checkpoint import PlmModel
    from protsae.sae.base import SparseAutoencoder

SHIPPED = ("demo", "demo_topk", "antibody")
"""Releases that are part of the package."""


class Release:
    """Handle on a folder: its record is read and checked, tables and weights when they are asked for.

    Args:
        path: the folder.

    Raises:
        InputError: not a release, of a newer version, damaged, or incomplete.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.record: ReleaseRecord = read_record(self.path)

    def __repr__(self) -> str:
        """Return what it is, in a line."""
        about = self.record
        return f"Release({about.name}, {about.language_model.name}, {about.hook_point}, {self.path})"

    def __deepcopy__(self, memo: dict[int, Any]) -> "Release":
        """Return itself: nothing in it changes."""
        return self

    @property
    def name(self) -> str:
        """What tables call the dictionary."""
        return self.record.name

    @property
    def checkpoint(self) -> SaeCheckpoint:
        """The dictionary's checkpoint, its weights not loaded."""
        return SaeCheckpoint(self.file(SAE_NAME))

    def load_sae(self) -> "SparseAutoencoder":
        """Return the dictionary's module, in evaluation mode.

        Raises:
            InputError: the file is damaged.
        """
        return self.checkpoint.load()

    def load_plm(self, source: str | Path | None = None) -> "PlmModel":
        """Return the language model: of `source`, which has to be the one on record, else the release's own.

        Args:
            source: see `plm.load_plm`; None: the weights that are inside.

        Raises:
            InputError: the weights are not inside and no source is given, or it is another model.
        """
        from protsae.plm.checkpoint import load_plm

        wanted = self.record.language_model
        if source is not None:
            model = load_plm(source)
            check_model(self.record.made_for, model, hook_point=self.record.hook_point)
            return model
        if wanted.is_inside:
            return replace(load_plm(self.file(PLM_NAME)), name=wanted.name)
        raise InputError(
            f"release {self.name} ({self.path}) does not hold the weights of its language model "
            f"'{wanted.name}' (sha256 {wanted.sha256[:12]}): give their file, folder or name"
        )

    def has(self, table: str) -> bool:
        """Return whether a table is inside."""
        return f"{table}.parquet" in self.record.files

    def table(self, name: str) -> "pd.DataFrame":
        """Return a table.

        Args:
            name: one of `TABLES`.

        Raises:
            InputError: it is not inside, or damaged.
        """
        import pandas as pd

        if not self.has(name):
            held = ", ".join(table for table in TABLES if self.has(table)) or "none"
            raise InputError(
                f"release {self.name} ({self.path}) has no table {name}; its tables: {held}. Make it again "
                "with the pipelines that make this table: `kedro run --pipelines release`"
            )
        return pd.read_parquet(self.file(f"{name}.parquet"))

    @cached_property
    def concepts(self) -> "pd.DataFrame":
        """The table `concepts`, in the order of the defined latents."""
        return self.table("concepts")

    @cached_property
    def concept_scorers(self) -> "pd.DataFrame":
        """How concepts are scored, and what each score is worth."""
        return self.table("concept_scorers")

    @cached_property
    def latents(self) -> "pd.DataFrame":
        """One row per latent: its card, and its explanation."""
        return self.table("latents")

    @cached_property
    def latent_concepts(self) -> "pd.DataFrame":
        """The concepts that each latent matches best."""
        return self.table("latent_concepts")

    @cached_property
    def latent_examples(self) -> "pd.DataFrame":
        """Proteins on which each latent is most active."""
        return self.table("latent_examples")

    @cached_property
    def train_sequences(self) -> "pd.DataFrame":
        """`protein_id`, `sequence` of training proteins."""
        return self.table("train_sequences")

    @cached_property
    def _sae(self) -> "SparseAutoencoder":
        return self.load_sae()

    def check_model(self, model: Model, *, hook_point: str, accept_mismatch: bool = False) -> list[str]:
        """Refuse another language model, layer or width; see `sae.made_for.check_model`."""
        return check_model(
            self.record.made_for, model, hook_point=hook_point, accept_mismatch=accept_mismatch
        )

    def check_batch(self, x: "Tensor | np.ndarray", *, accept_mismatch: bool = False) -> list[str]:
        """Refuse activations unlike those of training; see `sae.made_for.check_batch`."""
        return check_batch(self.record.made_for, self._sae, x, accept_mismatch=accept_mismatch)

    def file(self, name: str) -> Path:
        """Return the path of a file of the release, once its bytes are those on record.

        Raises:
            InputError: they are not.
        """
        path = self.path / name
        record = self.record.files.get(name)
        if record is None or not path.is_file() or not has_sha256(path, record.sha256):
            raise InputError(f"{path} is damaged: its SHA-256 differs from {RECORD_NAME}; {again(self.path)}")
        return path


def open_release(source: str | Path) -> Release:
    """Open a release.

    Args:
        source: `demo`, `demo_topk` or `antibody`, which are part of the package, or a folder (write `./demo`
            for a folder of that name).

    Raises:
        InputError: not a release, or damaged.
    """
    if source in SHIPPED:
        return Release(Path(str(files("protsae.release") / "shipped" / str(source))))
    if not Path(source).is_dir():
        raise InputError(f"{source} is no folder: give that of a release, or one of {', '.join(SHIPPED)}")
    return Release(source)


@dataclass(frozen=True)
class ReleaseContent:
    """What goes into a release."""

    checkpoint: SaeCheckpoint
    """The dictionary. Its header says which model and layer it was made for."""
    data: DataRecord
    """What it was trained on."""
    tables: "Mapping[str, pd.DataFrame]"
    """Names in `TABLES`; a table that is left out is absent from the release."""
    plm: Path | None = None
    """File of the language model, if its weights go into the release: safetensors with the shape in its
    header."""
    attribution: tuple[str, ...] = ()
    """Sources and licences, a paragraph each."""
    name: str = field(default="", kw_only=True)
    """What the release is called; empty: as the dictionary."""


def write_release(folder: str | Path, content: ReleaseContent) -> Release:
    """Write a release, whole or not at all. Same content, same bytes.

    Args:
        folder: made anew; a release that is there is replaced, anything else is not touched.
        content: what goes into it.

    Raises:
        InputError: the folder holds something else; a table that is unknown or of another dictionary; a
            checkpoint that does not say what it was made for; or a language model that is another one.
    """
    target = Path(folder)
    if target.exists() and not (target / RECORD_NAME).is_file() and any(target.iterdir()):
        raise InputError(f"{target} holds something else than a release: give another folder, or empty it")
    _check(content)
    checkpoint = content.checkpoint
    known = made_for(checkpoint)
    if known.model is None or known.model_sha256 is None or known.hook_point is None:
        raise InputError(
            f"{checkpoint.path} does not say which language model and layer it was made for: train it with "
            "the pipeline training, or import it with both"
        )
    if content.plm is not None and sha256_file(content.plm) != known.model_sha256:
        raise InputError(
            f"{content.plm} is not the language model '{known.model}' (sha256 {known.model_sha256[:12]}) "
            f"that {checkpoint.path} was made for: give that one"
        )
    with atomic_folder(target, written_last=RECORD_NAME) as fresh:
        shutil.copyfile(checkpoint.path, fresh / SAE_NAME)
        if content.plm is not None:
            shutil.copyfile(content.plm, fresh / PLM_NAME)
        for name, table in content.tables.items():
            table.to_parquet(fresh / f"{name}.parquet", index=False, compression="zstd")
        record = ReleaseRecord(
            name=content.name or known.name,
            architecture=checkpoint.config["architecture"],
            d_model=known.d_model,
            files={
                path.name: FileRecord(n_bytes=path.stat().st_size, sha256=sha256_file(path))
                for path in sorted(fresh.iterdir())
            },
            language_model=LanguageModelRecord(
                name=known.model, sha256=known.model_sha256, is_inside=content.plm is not None
            ),
            hook_point=known.hook_point,
            activations=known.activations,
            data=content.data,
            protsae_version=__version__,
            attribution=content.attribution,
        )
        text = json.dumps({**record.model_dump(mode="json"), "seal": UNSEALED}, indent=1)
        write_text_atomic(fresh / RECORD_NAME, text + "\n", sealed=True)
    return Release(target)


def _check(content: ReleaseContent) -> None:
    from protsae.encoding.codes import require_concepts

    if unknown := sorted(content.tables.keys() - set(TABLES)):
        raise InputError(f"a release has no table '{unknown[0]}'; its tables: {', '.join(TABLES)}")
    if "concepts" in content.tables:
        require_concepts(content.checkpoint.concept_ids, content.tables["concepts"])
    d_sae = content.checkpoint.config["d_sae"]
    for name in ("latents", "latent_concepts", "latent_examples"):
        table = content.tables.get(name)
        if table is not None and len(table) and table["latent"].max() >= d_sae:
            raise InputError(
                f"table {name} has latent {table['latent'].max()}, the dictionary "
                f"{content.checkpoint.path} has {d_sae}: it is of another dictionary"
            )
