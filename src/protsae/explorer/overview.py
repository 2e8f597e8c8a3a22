"""What the explorer's first pages read: the run, its dictionaries, and how methods compare."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from protsae import __version__
from protsae.explorer.literals import rounded, table, texts, whole
from protsae.explorer.rows import plain, records
from protsae.explorer.tables import ExplorerTables
from protsae.reporting.config import ReportTexts
from protsae.reporting.differences import paired_rows
from protsae.reporting.overview import main_result, method_rows
from protsae.reporting.palette import GREY
from protsae.reporting.selection import SCORE_METRICS, metric_table
from protsae.reporting.style import ASPECT_COLOURS, ASPECT_NAMES

CHUNK = {
    "sentences": 2048,
    "latent": 16,
    "concept": 16,
    "protein": 4,
    "design": 8,
    "sequences": 512,
    "descriptions": 2048,
}
"""Kind of data file to how many entries one holds."""
_MAX_STEPS = 240
_CURVES = ("fve", "l0", "dead_share", "gate_rate", "gradient_norm", "learning_rate", "loss/")


def index(tables: ExplorerTables, texts_: ReportTexts, title: str, has: dict[str, bool]) -> dict[str, Any]:
    """Return the data file `index`, without the run's id.

    Args:
        tables: the tables of the run.
        texts_: the texts of the report, with what is known of the files.
        title: of the explorer.
        has: which optional parts there are.
    """
    subject = tables.of[tables.dictionaries.subject].sae_checkpoint.metadata
    aspects = list(dict.fromkeys(tables.concepts["aspect"]))
    return {
        "title": title,
        "version": __version__,
        "created": None,
        "subject": tables.dictionaries.subject,
        "rival": tables.dictionaries.rival,
        "dictionaries": [_dictionary(tables, name) for name in tables.order],
        "plm": {"name": plain(subject.get("model")), "sha256": plain(subject.get("model_sha256"))},
        "aspects": {
            name: {"name": ASPECT_NAMES.get(name, name), "colour": ASPECT_COLOURS.get(name, GREY)}
            for name in aspects
        },
        "counts": {
            "proteins": len(tables.proteins),
            "residues": int(tables.proteins["length"].sum()),
            "concepts": len(tables.concepts),
            "latents": sum(found.n_latents for found in tables.of.values()),
        },
        "splits": {str(split): int(n) for split, n in tables.proteins["split"].value_counts().items()},
        "chunk": CHUNK,
        "sources": [
            {"description": what, "file": entry["file"], "sha256": entry["sha256"]}
            for what, entry in tables.data_sources.items()
        ],
        "attribution": list(texts_.attribution),
        "limits": list(texts_.notes),
        "has": has,
    }


def _dictionary(tables: ExplorerTables, name: str) -> dict[str, Any]:
    from protsae.core.files import sha256_file

    checkpoint = tables.of[name].sae_checkpoint
    shown = metric_table(tables.metrics)
    shown = shown[shown["method"] == name]
    values = dict(zip(shown["metric"], shown["value"], strict=True))
    return {
        "name": name,
        "label": tables.dictionaries.label(name),
        "colour": tables.dictionaries.colour(name),
        "architecture": tables.dictionaries.architectures[name],
        "n_latents": tables.of[name].n_latents,
        "n_defined": checkpoint.n_defined,
        "d_model": plain(checkpoint.metadata.get("d_model")),
        "k": plain(checkpoint.config.get("k")),
        "seed": plain(checkpoint.metadata.get("seed")),
        "sha256": sha256_file(checkpoint.path),
        "hook_point": plain(checkpoint.metadata.get("hook_point")),
        "fve": plain(values.get("fve")),
        "l0": plain(values.get("l0")),
    }


def overview(tables: ExplorerTables) -> dict[str, Any]:
    """Return the data file `overview`: methods and their paired differences, training, densities, and how
    well lists of missing annotations found labels that were hidden."""
    methods = [
        {
            **{key: row[key] for key in ("label", "method", "supervision", "floor")},
            "scores": {metric: _cell(row["scores"][metric]["mean"]) for metric in SCORE_METRICS},
        }
        for row in method_rows(tables.metrics, tables.dictionaries)
    ]
    differences = [
        {
            **{key: row[key] for key in ("first", "second", "verdict")},
            "scores": {metric: _cell(row["scores"][metric]) for metric in SCORE_METRICS},
        }
        for row in paired_rows(tables.method_differences, tables.dictionaries)
    ]
    density, check = tables.density_histogram, tables.missing_annotations_check
    return {
        "result": main_result(tables.metrics, tables.method_differences, tables.dictionaries),
        "methods": methods,
        "differences": differences,
        "curves": list(_curves(tables)),
        "missing_check": [] if check is None else records(check),
        "density": table(
            {
                "dictionary": texts(density["method"]),
                "kind": texts(density["kind"]),
                "low": rounded(density["log10_low"]),
                "high": rounded(density["log10_high"]),
                "n": whole(density["n_latents"]),
            }
        ),
    }


def _cell(cell: dict[str, float | None]) -> dict[str, float | None]:
    return {name: plain(value) for name, value in cell.items()}


def _curves(tables: ExplorerTables) -> Iterator[dict[str, Any]]:
    """Yield what the training logs hold, at not more than some hundred steps."""
    for name in tables.order:
        log = tables.of[name].training_log
        log = log[log["term"].str.startswith(_CURVES)]
        for (term, split), rows in log.groupby(["term", "split"], sort=True):
            kept = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MAX_STEPS)).round().astype(int))
            yield {
                "dictionary": name,
                "term": term,
                "split": split,
                "step": whole(rows["step"].iloc[kept]),
                "value": rounded(rows["value"].iloc[kept], 4),
            }
