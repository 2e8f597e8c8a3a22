"""A trained dictionary with all that prediction needs, in one folder."""

from protsae.release.folder import Release, ReleaseContent, open_release, write_release
from protsae.release.record import (
    FORMAT_VERSION,
    TABLES,
    DataRecord,
    FileRecord,
    LanguageModelRecord,
    ReleaseRecord,
)
from protsae.sae.made_for import ActivationsOnRecord, MadeFor, check_batch, check_model

__all__ = [
    "FORMAT_VERSION",
    "TABLES",
    "ActivationsOnRecord",
    "DataRecord",
    "FileRecord",
    "LanguageModelRecord",
    "MadeFor",
    "Release",
    "ReleaseContent",
    "ReleaseRecord",
    "check_batch",
    "check_model",
    "open_release",
    "write_release",
]
