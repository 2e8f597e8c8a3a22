"""Tables and sentences of fidelity, alignment and disentanglement.

A table has `columns` (headings) and `rows`: `label`, `floor` and `cells`, each a text or a mapping of
`value`, `low`, `high` and perhaps `note`.
"""

from typing import Any

import pandas as pd

from protsae.reporting.alignment import FLOOR_METHOD, LEVEL_TITLES
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.differences import in_words
from protsae.reporting.selection import Cell, number, records, score_cell, text
from protsae.reporting.style import ASPECTS, known_first

_SPLICED = {
    ("", ""): "all residues",
    ("defined", ""): "defined latents alone",
    ("free", ""): "free latents alone",
    ("", "longer_than_training"): "longer than in training",
    ("", "joined_longer_than_training"): "joined proteins, longer than in training",
}
"""(preset, stratum) of a row of recovered loss to what it is of."""
_LOSSES = {
    "loss_recovered_mean": "Recovered, against the mean activation",
    "loss_recovered": "Recovered, against zero",
    "mlm_ce_clean": "Loss of the model as it is",
    "mlm_ce_sae": "with the reconstruction",
    "mlm_ce_mean": "with the mean activation (floor)",
}
_F1 = {"protein": "relevance_f1", "residue": "residue_f1", "domain": "domain_f1"}
_K_SPARSE_STRATA = {"protein": "proteins", "residue": "residues"}
_JUDGES = {"lin": "Function", "windows": "Neighbouring residues"}
_EMPTY: Cell = {"value": None, "low": None, "high": None}


class Values:
    """Rows of metrics.csv of one split by what they are of."""

    def __init__(self, metrics: pd.DataFrame, split: str = "test") -> None:
        rows = metrics[(metrics["split"] == split) & metrics["value"].notna()]
        # The first seed stands, as in the whole report.
        ordered = records(rows.sort_values("seed", kind="stable", na_position="first"))
        self._cells: dict[tuple[str, ...], Cell] = {}
        for row in ordered:
            names = ("method", "metric", "aspect", "preset", "stratum")
            self._cells.setdefault(tuple(text(row[name]) for name in names), score_cell(row))

    def cell(self, method: str, metric: str, aspect: str = "", preset: str = "", stratum: str = "") -> Cell:
        """Return value and interval, None where nothing was measured."""
        return self._cells.get((method, metric, aspect, preset, stratum), _EMPTY)

    def keys_of(self, metric: str) -> list[tuple[str, ...]]:
        """Return method, metric, aspect, preset and stratum of all rows of a metric."""
        return [key for key in self._cells if key[1] == metric]


def fidelity_table(values: Values, dictionaries: Dictionaries) -> dict[str, Any]:
    """Return what is left of the language model's predictions, per dictionary and part that is replaced."""
    rows = []
    for name in dictionaries.order:
        for (preset, stratum), part in _SPLICED.items():
            cells = [values.cell(name, metric, "", preset, stratum) for metric in _LOSSES]
            if any(cell["value"] is not None for cell in cells):
                # One interval is enough: the others follow from the same resamples.
                kept = [cells[0], *({**_EMPTY, "value": cell["value"]} for cell in cells[1:])]
                rows.append(_row(dictionaries.label(name), [part, *kept]))
    return {"columns": ["Dictionary", "What is replaced", *_LOSSES.values()], "rows": rows}


def fidelity_result(values: Values, dictionaries: Dictionaries) -> str:
    """State how much of the loss each dictionary recovers."""
    found = {name: values.cell(name, "loss_recovered_mean") for name in dictionaries.order}
    shares = [
        f"{dictionaries.label(name)} recovers {cell['value']:.3f}"
        for name, cell in found.items()
        if cell["value"] is not None
    ]
    return _sentence("; ".join(shares), " of what the mean activation loses")


def alignment_tables(
    summary: pd.DataFrame, values: Values, dictionaries: Dictionaries
) -> list[dict[str, Any]]:
    """Return one table per level of concepts: how many are found, and F1 next to its floors.

    Each has `title` too. Dictionaries come first, references after them, the amino acid alone last.
    """
    return [
        {"title": title, **_alignment_table(summary, level, values, dictionaries)}
        for level, title in LEVEL_TITLES.items()
        if (summary["level"] == level).any()
    ]


def _alignment_table(
    summary: pd.DataFrame, level: str, values: Values, dictionaries: Dictionaries
) -> dict[str, Any]:
    own = summary[(summary["level"] == level) & (summary["aspect"] == "all")]
    by_method = {row["method"]: row for row in records(own)}
    stratum = _K_SPARSE_STRATA.get(level, "")
    ks = sorted(
        {key[3] for key in values.keys_of("k_sparse_auc") if key[4] == stratum},
        key=lambda preset: int(preset.removeprefix("k=")),
    )
    ends = list(dict.fromkeys([*ks[:1], *ks[-1:]]))
    rows = []
    for method in known_first(list(by_method), dictionaries.order):
        row = by_method[method]
        f1 = values.cell(method, _F1[level], "all", "", "residues" if level != "protein" else "proteins")
        cells: list[Any] = [
            f"{int(row['n_found'])} of {int(row['n_concepts'])}",
            f"{int(row['n_found_bh'])}",
            {**f1, "value": number(row["f1_test"])},
            *(values.cell(method, "k_sparse_auc", "all", preset, stratum) for preset in ends),
        ]
        rows.append(_row(dictionaries.method_label(method), cells, method == FLOOR_METHOD))
    rows.sort(key=lambda row: row["floor"])
    always_on = next((number(row["f1_always_on"]) for row in by_method.values()), None)
    empty = [_EMPTY for _ in ends]
    rows.append(_row("Latent that is always on", ["", "", {**_EMPTY, "value": always_on}, *empty], True))
    probes = [f"AUC of {preset.removeprefix('k=')} latent{'' if preset == 'k=1' else 's'}" for preset in ends]
    return {
        "columns": ["Latents of", "Concepts found", "after correction", "Mean F1, best latent", *probes],
        "rows": rows,
    }


def alignment_result(summary: pd.DataFrame, dictionaries: Dictionaries) -> str:
    """State how many concepts of proteins single latents find: dictionaries first, then references."""
    own = summary[(summary["level"] == "protein") & (summary["aspect"] == "all")]
    found = {row["method"]: row for row in records(own) if row["method"] != FLOOR_METHOD}
    if not found:
        return ""
    order = known_first(list(found), dictionaries.order)
    counts = [f"{dictionaries.label_in_text(name)} {int(found[name]['n_found'])}" for name in order]
    n_concepts = max(int(row["n_concepts"]) for row in found.values())
    return f"Of {n_concepts:,} concepts of proteins, single latents find: {', '.join(counts)}."


def monosemanticity_table(values: Values, dictionaries: Dictionaries) -> dict[str, Any]:
    """Return mean MonoSemanticity per kind of latent and judge, and the share of latents above chance."""
    judges = _judges(values)
    rows = []
    for method, kind in _kinds(values, "monosemanticity", dictionaries):
        cells = []
        for preset, aspect in judges:
            cell = values.cell(method, "monosemanticity", aspect, preset, kind)
            share = values.cell(method, "monosemanticity_above_chance", aspect, preset, kind)["value"]
            cells.append({**cell, "note": "" if share is None else f"{share:.0%} of latents above chance"})
        rows.append(_row(dictionaries.kind_label(method, kind), cells))
    if rows:
        chance: list[Any] = [{**_EMPTY, "value": 0.0} for _ in judges]
        rows.append(_row("Meaningless latents", chance, True))
    return {"columns": ["Latents of", *(_judge_label(*judge) for judge in judges)], "rows": rows}


def disentanglement_result(values: Values, dictionaries: Dictionaries) -> str:
    """State whether defined latents have more in common on what they fire than free ones, judge by judge."""
    parts = []
    for name in (name for name in dictionaries.order if name in dictionaries.guided):
        for preset, aspect in _judges(values):
            cell = values.cell(name, "monosemanticity_defined_minus_free", aspect, preset)
            if cell["value"] is not None:
                parts.append(f"{dictionaries.label(name)}, {_judge_label(preset, aspect)}: {in_words(cell)}")
    return _sentence("; ".join(parts), "", "Defined minus free latents, mean score: ")


def nesting_table(values: Values, dictionaries: Dictionaries) -> dict[str, Any]:
    """Return absorption between nested concepts next to its floor, and splitting, per kind of latent."""
    rows = []
    levels = known_first([key[3] for key in values.keys_of("absorption")], ("protein", "residue"))
    kinds = _kinds(values, "absorption", dictionaries) or _kinds(values, "splitting_share", dictionaries)
    for method, kind in kinds:
        for level in levels or ["protein"]:
            absorbed = values.cell(method, "absorption", "all", level, kind)
            excess = values.cell(method, "absorption_excess", "all", level, kind)
            expected = dict(_EMPTY)
            if absorbed["value"] is not None and excess["value"] is not None:
                expected["value"] = absorbed["value"] - excess["value"]
            label = dictionaries.kind_label(method, kind) + (f", {level}s" if len(levels) > 1 else "")
            split = [
                values.cell(method, metric, "all", "", kind)
                if level == (levels or ["protein"])[0]
                else _EMPTY
                for metric in ("splitting_share", "splitting_f1_first", "splitting_f1")
            ]
            rows.append(_row(label, [absorbed, expected, excess, *split]))
    return {
        "columns": [
            "Latents of",
            "Absorbed",
            "by chance (floor)",
            "Absorbed minus chance",
            "Concepts split over latents",
            "F1, one latent",
            "F1, as many as help",
        ],
        "rows": rows,
    }


def _row(label: str, cells: list[Any], floor: bool = False) -> dict[str, Any]:
    return {"label": label, "cells": cells, "floor": floor}


def _sentence(text: str, end: str = "", start: str = "") -> str:
    return f"{start}{text}{end}." if text else ""


def _judges(values: Values) -> list[tuple[str, str]]:
    """Return (judge, aspect) pairs: function by aspect, neighbouring residues, other models' embeddings."""
    found = {(key[3], key[2]) for key in values.keys_of("monosemanticity")}

    def order(judge: tuple[str, str]) -> tuple[int, str, int, str]:
        preset, aspect = judge
        known = list(_JUDGES)
        return (
            known.index(preset) if preset in known else len(known),
            preset,
            ASPECTS.index(aspect) if aspect in ASPECTS else len(ASPECTS),
            aspect,
        )

    return sorted(found, key=order)


def _judge_label(preset: str, aspect: str) -> str:
    label = _JUDGES.get(preset, preset.replace("embeddings:", "Embeddings of "))
    return f"{label}, {aspect}" if aspect else label


def _kinds(values: Values, metric: str, dictionaries: Dictionaries) -> list[tuple[str, str]]:
    """Return (method, kind of latent) pairs that have a metric: dictionaries first, defined before free."""
    found = {(key[0], key[4]) for key in values.keys_of(metric)}
    methods = known_first([method for method, _ in found], dictionaries.order)
    return [(method, kind) for method in methods for kind in sorted(k for m, k in found if m == method)]
