"""Nodes of the explorer pipeline: tables to a folder of one page and its data files."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from protsae.explorer.config import ExplorerConfig
from protsae.pipelines.wiring import parts_of
from protsae.probing.config import ComparisonConfig
from protsae.reporting.config import ReportTexts
from protsae.reporting.dictionaries import Dictionaries


def build_explorer(
    explorer: ExplorerConfig,
    texts: ReportTexts,
    dictionaries: dict[str, Any],
    comparison: ComparisonConfig,
    data_sources: dict[str, dict[str, str]],
    **inputs: Any,
) -> Any:
    """Return the plan (`explorer.folder.SitePlan`) of the explorer.

    Args:
        explorer: what it holds.
        texts: of the report.
        dictionaries: those of the run.
        comparison: subject and rival.
        data_sources: name and hash of the files of this run.
        inputs: the fields of `ExplorerTables` by name, `concept_terms` and `concept_relations`, the fields of
            `explorer.content.Given` (files and folders, or None), and of every dictionary the fields of
            `DictionaryTables`.
    """
    from protsae.explorer.content import Given, plan_site
    from protsae.explorer.tables import DictionaryTables, ExplorerTables
    from protsae.ontology.obo import Ontology

    shared = {name: value for name, value in inputs.items() if "__" not in name}
    given = Given(**{field.name: shared.pop(field.name) for field in fields(Given)})
    ontology = Ontology(shared.pop("concept_terms"), shared.pop("concept_relations"))
    named = Dictionaries.of(dictionaries, comparison)
    parts = [field.name for field in fields(DictionaryTables)]
    of = {name: DictionaryTables(**_own(inputs, name, parts)) for name in named.names}
    tables = ExplorerTables(named, of, ontology=ontology, data_sources=data_sources, **shared)
    return plan_site(tables, texts, explorer, given)


def _own(inputs: Mapping[str, Any], name: str, parts: list[str]) -> dict[str, Any]:
    found = {part: parts_of(inputs, part).get(name) for part in parts}
    return {part: value for part, value in found.items() if value is not None}
