"""`release.json`: what a release holds and what it was made for."""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from protsae.core.config import Config
from protsae.core.errors import MALFORMED, InputError
from protsae.core.tensor_files import refuse_damaged
from protsae.sae.config import first_problem
from protsae.sae.made_for import ActivationsOnRecord, MadeFor

FORMAT: Literal["protsae.release"] = "protsae.release"
FORMAT_VERSION = 1
RECORD_NAME = "release.json"
SAE_NAME = "sae.safetensors"
PLM_NAME = "plm.safetensors"
TABLES = ("concepts", "concept_scorers", "latents", "latent_concepts", "latent_examples", "train_sequences")
"""The tables that a release may hold, each as `<name>.parquet`."""


class FileRecord(Config):
    """One file of a release."""

    n_bytes: int = Field(ge=0)
    """Its size."""
    sha256: str
    """Of its bytes, hex."""


class LanguageModelRecord(Config):
    """The language model whose activations the dictionary decomposes."""

    name: str
    """What it is called."""
    sha256: str
    """Of its checkpoint, hex."""
    is_inside: bool
    """Whether its weights are in the release."""


class DataRecord(Config):
    """What the dictionary was trained on."""

    description: str = ""
    """In words."""
    n_proteins: int = Field(ge=0)
    """Training proteins."""
    split_salt: str = ""
    """Salt of the split."""


class ReleaseRecord(Config):
    """The content of `release.json`, without its seal."""

    format: Literal["protsae.release"] = FORMAT
    """Name of the format."""
    format_version: int = Field(FORMAT_VERSION, ge=1)
    """Its version."""
    name: str
    """What tables call the dictionary."""
    architecture: str
    """Of the dictionary, see `sae.registry`."""
    d_model: int = Field(ge=1)
    """Width of the activations."""
    files: dict[str, FileRecord]
    """Every other file of the folder by name."""
    language_model: LanguageModelRecord
    """What the activations come from."""
    hook_point: str
    """The layer."""
    activations: ActivationsOnRecord | None
    """What was seen in training."""
    data: DataRecord
    """The training data."""
    protsae_version: str
    """Version that wrote the release."""
    attribution: tuple[str, ...] = ()
    """Sources and licences, a paragraph each."""

    @property
    def made_for(self) -> MadeFor:
        """The same as `sae.made_for` has it."""
        model = self.language_model
        return MadeFor(
            name=self.name,
            d_model=self.d_model,
            hook_point=self.hook_point,
            model=model.name,
            model_sha256=model.sha256,
            activations=self.activations,
        )


def read_record(folder: Path) -> ReleaseRecord:
    """Read and check `release.json`, and that every file that it lists is there in its size.

    Raises:
        InputError: not a release, one of a newer version, damaged, or incomplete.
    """
    path = folder / RECORD_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        form, version, seal = content["format"], content["format_version"], content.pop("seal")
    except FileNotFoundError:
        raise InputError(
            f"{folder} is no release: it has no {RECORD_NAME}. Give a folder that the pipeline `release` "
            "wrote, such as data/06_models/protsae/release"
        ) from None
    except (OSError, *MALFORMED) as error:
        raise InputError(f"{path} is no record of a release ({error}); {again(folder)}") from error
    if form != FORMAT or not isinstance(version, int) or not isinstance(seal, str):
        raise InputError(f"{path} is of format {form!r}, not {FORMAT}; {again(folder)}")
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {version}, this protsae reads up to {FORMAT_VERSION}: install a "
            "newer protsae"
        )
    refuse_damaged(path, sealed=True)
    try:
        record = ReleaseRecord.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path} is not valid ({first_problem(error)}); {again(folder)}") from error
    for name, file in record.files.items():
        if name != Path(name).name:
            raise InputError(f"{path} lists '{name}', which is no file of the folder; {again(folder)}")
        found = (folder / name).stat().st_size if (folder / name).is_file() else None
        if found != file.n_bytes:
            what = "is missing" if found is None else f"has {found} bytes, {RECORD_NAME} says {file.n_bytes}"
            raise InputError(f"{folder / name} {what}; {again(folder)}")
    return record


def again(folder: Path) -> str:
    """Say how a damaged release is made again."""
    return f"fetch {folder} again, or make it again: `kedro run --pipelines release`"
