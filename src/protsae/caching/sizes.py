"""How much there is to do: proteins, residues and widths, from the parameters and the user's files."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from protsae.caching.canonical import canonical, flatten
from protsae.caching.kedro_internals import Catalog, local_path
from protsae.caching.records import read_json
from protsae.core.errors import MALFORMED, InputError
from protsae.plm.hook_points import parse_hook_point
from protsae.sequences.records import read_sequences
from protsae.sequences.table import SequenceTableConfig

Sizes = dict[str, float]
_WIDTHS = {6: 320, 12: 480, 30: 640, 33: 1280, 36: 2560, 48: 5120}
"""Layers of the models that fair-esm names to their width."""
_DICTIONARY = re.compile(r"dictionaries\.[^.]+\.architecture")
_MAX_HEADER_BYTES = 10_000_000


def sizes(catalog: Catalog, *, ingested: bool) -> Sizes:
    """Return the sizes that costs depend on; empty where the proteins or the settings are unknown.

    Args:
        catalog: datasets of the run, with `parameters`.
        ingested: whether the report of the sequences is of the present ones; else their file is read.

    Returns:
        `proteins`, `residues`, `layers` (of the language model, as far as they are run), `d_model`, `d_sae`,
        `drawn` (residues that a training sees), `audited` (proteins searched for relatives), `spliced`
        (residues of fidelity), `resamples`, `dictionaries` (how many), `pages` (proteins that the explorer
        shows).
    """
    given = flatten("", canonical(catalog.load("parameters") if "parameters" in catalog else {}))
    if "extraction.hook_point" not in given:
        return {}
    shape = model_shape(_path(catalog, "plm_checkpoint"))
    counted = shape and (_reported(catalog) if ingested else _counted(catalog))
    if not shape or not counted:
        return {}
    return sizes_of(given, counted, shape)


def sizes_of(given: Mapping[str, Any], counted: tuple[float, float], shape: tuple[int, int]) -> Sizes:
    """Return the sizes for dotted settings, proteins and residues, and the model's layers and width."""
    (proteins, residues), (layers, d_model) = counted, shape
    length = residues / proteins
    points = [given["extraction.hook_point"], *given["extraction.hook_points"]]
    deepest = [layers if (layer := parse_hook_point(p).layer) is None else layer + 1 for p in points]
    stored = given["extraction.residues_per_protein"] or length
    drawn = (
        min(given["training.trainer.residues_per_protein"], stored, length) * given["training.trainer.epochs"]
    )
    n_held_out = proteins * (1 - given["splitting.split.fractions.train"])
    per_split = given["splitting.audit.n_sampled"]
    is_sampled = per_split and proteins > given["splitting.audit.complete_up_to"]
    n_test = proteins * given["splitting.split.fractions.test"]
    return {
        "proteins": proteins,
        "residues": residues,
        "layers": min(layers, max(deepest)),
        "d_model": d_model,
        "d_sae": given["training.d_sae"],
        "drawn": drawn * proteins * given["splitting.split.fractions.train"],
        "audited": min(n_held_out, 2 * per_split) if is_sampled else n_held_out,
        "spliced": min(given["fidelity.sequences.max_proteins"] or n_test, n_test) * length,
        "resamples": given["shared.n_resamples"],
        "dictionaries": sum(bool(_DICTIONARY.fullmatch(name)) for name in given),
        "pages": proteins if (listed := given["explorer.proteins"]) is None else len(listed),
    }


def _path(catalog: Catalog, name: str) -> Path | None:
    return local_path(catalog.get(name)) if name in catalog else None


def _reported(catalog: Catalog) -> tuple[float, float] | None:
    path = _path(catalog, "sequence_report")
    report = read_json(path) if path else {}
    return (
        (report["n_proteins"], report["n_residues"])
        if {"n_proteins", "n_residues"} <= report.keys()
        else None
    )


def _counted(catalog: Catalog) -> tuple[float, float] | None:
    """Return proteins and residues of the user's file; copies of a sequence count each."""
    path = _path(catalog, "raw_sequences")
    if path is None or not path.is_file():
        return None
    config = SequenceTableConfig.model_validate(catalog.load("params:ingestion.sequences"))
    shortest, longest = config.min_residues, config.max_residues or config.max_sequence_length
    try:
        lengths = [len(record.sequence) for record in read_sequences(path, config)]
    except InputError:
        return None  # the run will say what is wrong
    kept = [length for length in lengths if shortest <= length <= longest]
    share = min(1.0, (config.n_sampled or len(kept)) / len(kept)) if kept else 0
    return (len(kept) * share, sum(kept) * share) if kept else None


def model_shape(path: Path | None) -> tuple[int, int] | None:
    """Return layers and width of a language model without reading its weights; None if that is not known."""
    if path is None:
        return None
    if named := re.match(r"esm2_t(\d+)_", path.stem):
        layers = int(named[1])
        return (layers, _WIDTHS[layers]) if layers in _WIDTHS else None
    try:
        if path.is_dir():
            config = read_json(path / "config.json")
            return int(config["num_hidden_layers"]), int(config["hidden_size"])
        with path.open("rb") as file:
            n_bytes = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(n_bytes, _MAX_HEADER_BYTES)))["__metadata__"]
        return int(header["num_layers"]), int(header["embed_dim"])
    except (OSError, *MALFORMED):
        return None
