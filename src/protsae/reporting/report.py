"""Render the report: one HTML file that opens from disk, without network, under a strict security policy.

Scripts and the style sheet are inlined and allowed by their SHA-256 alone; data are JSON blocks that no
browser executes; every text goes through jinja2's autoescape or `textContent`. The same tables give the
same bytes.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from protsae.core.errors import InputError
from protsae.core.splits import EXCLUDED
from protsae.metrics.bootstrap import interval_kind
from protsae.reporting.cards import is_uniprot_accession, latent_cards
from protsae.reporting.concepts import concept_methods, concept_rows, left_out, residue_rows
from protsae.reporting.config import CardLimits, ReportTexts
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.differences import fixed, leading_pairs, paired_rows, signed
from protsae.reporting.evidence import (
    Values,
    alignment_result,
    alignment_tables,
    disentanglement_result,
    fidelity_result,
    fidelity_table,
    monosemanticity_table,
    nesting_table,
)
from protsae.reporting.overview import counting, health_table, main_result, method_rows, run_facts, sizes
from protsae.reporting.policy import content_policy
from protsae.reporting.style import ASPECT_NAMES, SUPERVISION_MEANING, known_first
from protsae.reporting.tables import ReportTables
from protsae.reporting.templates import FOLDER

# plotly.js looks for style sheets of its own by these ids, and adds them where they are missing.
_BUNDLED_STYLE = re.compile(r'if\(!document\.getElementById\("([0-9a-f]{64})"\)\)')
_LONG = 200


def render_page(
    tables: ReportTables,
    figures: Mapping[str, go.Figure],
    texts: ReportTexts,
    limits: CardLimits,
    provenance: Mapping[str, Any],
    dictionaries: Dictionaries,
) -> str:
    """Return the report as one HTML document.

    Args:
        tables: the tables of a run.
        figures: key of each figure of the page to the figure.
        texts: title and what to say about model, labels and sources.
        limits: how many latents get a card.
        provenance: metadata of the subject's checkpoint, such as `model`, `hook_point`; long values are cut.
        dictionaries: those of the run.

    Raises:
        InputError: no protein is left outside the split `excluded`: there is nothing to report.
    """
    if not (tables.proteins["split"] != EXCLUDED).any():
        raise InputError("the report has no proteins: every protein is excluded; look at split_audit.csv")
    cards = latent_cards(tables, limits, dictionaries)
    pairs = paired_rows(tables.method_differences, dictionaries)
    methods = method_rows(tables.metrics, dictionaries)
    supervision = known_first([row["supervision"] for row in methods], tuple(SUPERVISION_MEANING))
    values = Values(tables.metrics)
    css, application = _static("report.css"), _static("report.js")
    plotly_js = get_plotlyjs()
    context = {
        "texts": texts,
        "dictionaries": dictionaries,
        "subject_is_guided": dictionaries.subject in dictionaries.guided,
        "result": main_result(tables.metrics, tables.method_differences, dictionaries),
        "facts": run_facts(tables, provenance, dictionaries),
        "sizes": sizes(tables, dictionaries),
        "differences": pairs,
        "leading_pairs": leading_pairs(pairs, dictionaries),
        "methods": methods,
        "counting": counting(tables.metrics),
        "supervision": {kind: SUPERVISION_MEANING.get(kind, "") for kind in supervision},
        "health": health_table(tables.metrics, dictionaries),
        "fidelity": fidelity_table(values, dictionaries),
        "fidelity_result": fidelity_result(values, dictionaries),
        "alignment": alignment_tables(tables.alignment_summary, values, dictionaries),
        "alignment_result": alignment_result(tables.alignment_summary, dictionaries),
        "monosemanticity": monosemanticity_table(values, dictionaries),
        "nesting": nesting_table(values, dictionaries),
        "disentanglement_result": disentanglement_result(values, dictionaries),
        "concepts": concept_rows(tables, dictionaries),
        "residues": residue_rows(tables, dictionaries),
        "concept_methods": list(concept_methods(dictionaries).values()),
        "cards": cards,
        "strips": _strips(cards["cards"]),
        "left_out": left_out(tables),
        "figure_data": {key: json.loads(figure.to_json()) for key, figure in figures.items()},
        "provenance": _flat(provenance),
        "aspects": ASPECT_NAMES if set(ASPECT_NAMES) & set(tables.concepts["aspect"]) else {},
        "css": Markup(css),  # noqa: S704 - our own files and plotly's, no data in them
        "scripts": [Markup(plotly_js), Markup(application)],  # noqa: S704
        "style_ids": _BUNDLED_STYLE.findall(plotly_js),
        # plotly.js adds an empty style sheet and fills it by rules.
        "policy": content_policy([plotly_js, application], [css, ""]),
    }
    return _environment().get_template("report.html.j2").render(context)


def _static(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {
        "sort_keys": True,
        "allow_nan": False,
        "ensure_ascii": False,
        "separators": (",", ":"),
    }
    environment.globals["interval_kind"] = interval_kind
    environment.filters["decimals"] = _decimals
    environment.filters["signed"] = signed
    environment.filters["fixed"] = fixed
    environment.filters["key"] = lambda value: "" if value is None else f"{value:.6g}"
    environment.tests["go_id"] = lambda value: re.fullmatch(r"GO:\d{7}", str(value)) is not None
    environment.tests["accession"] = lambda value: is_uniprot_accession(str(value))
    return environment


def _decimals(value: float | None, digits: int = 3) -> str:
    """Format a number: fixed decimals, a dash where there is none, an exponent for the very small."""
    if value is None:
        return "–"
    if value != 0 and abs(value) < 10**-digits:
        return f"{value:.1e}"
    return f"{value:,.{digits}f}"


def _strips(cards: list[dict[str, Any]]) -> dict[str, Any]:
    """Return by card number what the page's script draws: example windows and the value of full colour."""
    return {
        str(number): {"full": card["max_act"] or 0.0, "examples": card["examples"]}
        for number, card in enumerate(cards)
        if card["examples"]
    }


def _flat(provenance: Mapping[str, Any], prefix: str = "") -> list[dict[str, str]]:
    pairs: list[dict[str, str]] = []
    for key in sorted(provenance):
        value = provenance[key]
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{prefix}{key}.")
            continue
        shown = str(value)
        cut = shown if len(shown) <= _LONG else f"{shown[:_LONG]} ..."
        pairs.append({"label": f"{prefix}{key}", "value": cut})
    return pairs
