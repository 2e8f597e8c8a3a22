"""Tables and sentences of fidelity, alignment and disentanglement.

A table has `columns` (headings) and `rows`: `label`, `detail`, `floor` and `cells`, each a text or a mapping
of `value`, `low`, `high` and perhaps `note`, or `is_difference`.
"""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from protsae.reporting.alignment import FLOOR_METHOD, LEVEL_TITLES
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.differences import NOT_SIGNIFICANT, verdict
from protsae.reporting.disentanglement import judge_label, judge_order
from protsae.reporting.selection import Cell, number, records, score_cell, text, with_interval
from protsae.reporting.style import known_first

_SPLICED = {
    ("", ""): "all residues",
    ("defined", ""): "defined latents alone",
    ("free", ""): "free latents alone",
    ("", "longer_than_training"): "longer than in training",
    ("", "joined_longer_than_training"): "joined proteins, longer than in training",
}
"""(preset, stratum) of a row of recovered loss to its label."""
_LOSSES = {
    "loss_recovered_mean": "Recovered, against the mean activation",
    "loss_recovered": "Recovered, against zero",
    "mlm_ce_clean": "Loss of the model as it is",
    "mlm_ce_sae": "with the reconstruction",
    "mlm_ce_mean": "with the mean activation (floor)",
}
_F1 = {"protein": "relevance_f1", "residue": "residue_f1", "domain": "domain_f1"}
_SPLITTING = ("splitting_share", "splitting_f1_first", "splitting_f1")
_K_SPARSE_STRATA = {"protein": "proteins", "residue": "residues"}
_EMPTY: Cell = {"value": None, "low": None, "high": None}


class Values:
    """Values of metrics.csv on one split, by method, metric, aspect, preset and stratum."""

    def __init__(self, metrics: pd.DataFrame, split: str = "test") -> None:
        rows = metrics[(metrics["split"] == split) & metrics["value"].notna()]
        # The first seed is shown, as in the whole report.
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
                rows.append(_row(dictionaries.label(name), kept, detail=part))
    return {"columns": ["Replaced by reconstructions", *_LOSSES.values()], "rows": rows}


def fidelity_result(values: Values, dictionaries: Dictionaries) -> str:
    """State how much of the loss each dictionary recovers."""
    found = {name: values.cell(name, "loss_recovered_mean") for name in dictionaries.order}
    shares = [
        f"{dictionaries.label(name)} {with_interval(cell)}"
        for name, cell in found.items()
        if cell["value"] is not None
    ]
    return f"Recovered loss, against the mean activation: {', '.join(shares)}." if shares else ""


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
    rows = summary[(summary["level"] == "protein") & (summary["aspect"] == "all")]
    found = {row["method"]: row for row in records(rows) if row["method"] != FLOOR_METHOD}
    if not found:
        return ""
    n_concepts = max(int(row["n_concepts"]) for row in found.values())

    def counts(methods: Iterable[str]) -> str:
        return ", ".join(
            f"{dictionaries.label_in_text(name)} {int(found[name]['n_found'])}" for name in methods
        )

    own = [name for name in dictionaries.order if name in found]
    references = sorted(set(found).difference(own))
    without = f" Without a dictionary: {counts(references)}." if references else ""
    return f"Concepts of proteins that single latents find, of {n_concepts:,}: {counts(own)}.{without}"


def monosemanticity_table(values: Values, dictionaries: Dictionaries) -> dict[str, Any]:
    """Return mean MonoSemanticity per kind of latent and judge, next to chance; defined minus free."""
    judges = _judges(values)
    rows = []
    for method, kind in _kinds(values, "monosemanticity", dictionaries):
        cells = []
        for preset, aspect in judges:
            cell = values.cell(method, "monosemanticity", aspect, preset, kind)
            share = values.cell(method, "monosemanticity_above_chance", aspect, preset, kind)["value"]
            cells.append({**cell, "note": "" if share is None else f"{share:.0%} of latents above chance"})
        rows.append(_row(dictionaries.kind_label(method, kind), cells))
    for name in dictionaries.order:
        differences = _defined_minus_free(values, name)
        if differences:
            label = f"{dictionaries.label(name)}, defined minus free"
            cells = [{**differences.get(judge, _EMPTY), "is_difference": True} for judge in judges]
            rows.append(_row(label, cells))
    if rows:
        chance: list[Any] = [{**_EMPTY, "value": 0.0} for _ in judges]
        rows.append(_row("Chance", chance, floor=True))
    return {"columns": ["Latents of", *(judge_label(*judge) for judge in judges)], "rows": rows}


def disentanglement_result(values: Values, dictionaries: Dictionaries) -> str:
    """State by which judges defined latents score higher than free ones, lower, or not significantly so."""
    sentences = []
    for name in dictionaries.order:
        by_verdict: dict[str, list[str]] = {}
        for judge, cell in _defined_minus_free(values, name).items():
            by_verdict.setdefault(verdict(cell), []).append(_within_sentence(judge_label(*judge)))
        said = [
            f"{start} by {' and by '.join(by_verdict[key])}"
            for key, start in (
                ("higher", "higher"),
                ("lower", "lower"),
                (NOT_SIGNIFICANT, f"the difference is {NOT_SIGNIFICANT}"),
            )
            if key in by_verdict
        ]
        if said:
            start = f"Scores of {dictionaries.label(name)}'s defined latents, against its free latents"
            sentences.append(f"{start}: {'; '.join(said)}.")
    return " ".join(sentences)


def _defined_minus_free(values: Values, name: str) -> dict[tuple[str, str], Cell]:
    """Return the difference of mean scores by (judge, aspect), where it was measured."""
    metric = "monosemanticity_defined_minus_free"
    cells = {judge: values.cell(name, metric, judge[1], judge[0]) for judge in _judges(values)}
    return {judge: cell for judge, cell in cells.items() if cell["value"] is not None}


def nesting_table(values: Values, dictionaries: Dictionaries) -> dict[str, Any]:
    """Return absorption between nested concepts next to its floor, and splitting, per kind of latent."""
    rows = []
    levels = known_first([key[3] for key in values.keys_of("absorption")], ("protein", "residue"))
    for method, kind in _kinds(values, "splitting_share", dictionaries):
        split = [values.cell(method, metric, "all", "", kind) for metric in _SPLITTING]
        for level in levels or [""]:
            absorbed = values.cell(method, "absorption", "all", level, kind)
            excess = values.cell(method, "absorption_excess", "all", level, kind)
            expected = dict(_EMPTY)
            if absorbed["value"] is not None and excess["value"] is not None:
                expected["value"] = absorbed["value"] - excess["value"]
            cells = [absorbed, expected, {**excess, "is_difference": True}, *split]
            detail = f"concepts of {level}s" if len(levels) > 1 else ""
            rows.append(_row(dictionaries.kind_label(method, kind), cells, detail=detail))
            split = [_EMPTY for _ in split]
    return {
        "columns": [
            "Latents of",
            "Absorbed",
            "by chance (floor)",
            "Absorbed minus chance",
            "Concepts split over latents",
            "F1, one latent",
            "F1, several latents",
        ],
        "rows": rows,
    }


def _within_sentence(label: str) -> str:
    return label[:1].lower() + label[1:]


def _row(label: str, cells: list[Any], floor: bool = False, detail: str = "") -> dict[str, Any]:
    return {"label": label, "detail": detail, "cells": cells, "floor": floor}


def _judges(values: Values) -> list[tuple[str, str]]:
    """Return (judge, aspect) pairs: function by aspect, neighbouring residues, other models' embeddings."""
    return sorted({(key[3], key[2]) for key in values.keys_of("monosemanticity")}, key=judge_order)


def _kinds(values: Values, metric: str, dictionaries: Dictionaries) -> list[tuple[str, str]]:
    """Return (method, kind of latent) pairs that have a metric: dictionaries first, defined before free."""
    found = {(key[0], key[4]) for key in values.keys_of(metric)}
    methods = known_first([method for method, _ in found], dictionaries.order)
    return [(method, kind) for method in methods for kind in sorted(k for m, k in found if m == method)]
