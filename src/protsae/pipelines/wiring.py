"""How nodes are declared: the list of dictionaries, inputs that many nodes share, and what all dictionaries
collect."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import Any

import pandas as pd
from kedro.pipeline import Node, Pipeline

from protsae.training.config import DictionaryList


@dataclass(frozen=True)
class Wiring(DictionaryList):
    """What decides which nodes there are."""

    source: str = "extraction"
    """Where activations come from: `extraction`, or `parquet`: files of any origin."""

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "Wiring":
        """Read it from checked parameters."""
        source = parameters.get("training", {}).get("source", "extraction")
        return cls(cls.architectures_of(parameters["dictionaries"]), source)


def node(
    function: Callable[..., Any], inputs: list[str] | dict[str, str] | None, outputs: str | list[str]
) -> Node:
    """Return a node named after its function."""
    return Node(function, inputs=inputs, outputs=outputs, name=function.__name__)


def of_dictionary(name: str, nodes: Iterable[Node]) -> Pipeline:
    """Return nodes under the namespace of a dictionary; the names of datasets stay as they are written."""
    return Pipeline(list(nodes), namespace=name, prefix_datasets_with_namespace=False)


def as_named(*datasets: str) -> dict[str, str]:
    """Return the inputs of a function whose arguments have the names of the datasets."""
    return {name: name for name in datasets}


LABELLED = as_named("proteins", "concepts", "protein_labels", "labelled_aspects", "residue_labels")
"""Proteins, and the tables of `annotations.labels.LabelTables`."""
ONTOLOGY = as_named("concept_terms", "concept_relations")


def by_part(names: Iterable[str], *parts: str) -> dict[str, str]:
    """Return the inputs of a node that collects what there is of every dictionary: `<name>__<part>` to the
    dataset `<name>.<part>`."""
    return {f"{name}__{part}": f"{name}.{part}" for name in names for part in parts}


def own(name: str, *parts: str) -> dict[str, str]:
    """Return the inputs of a node that reads parts of one dictionary."""
    return {part: f"{name}.{part}" for part in parts}


def parts_of(inputs: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Return what `by_part` named, by dictionary."""
    ending = f"__{part}"
    return {key.removesuffix(ending): value for key, value in inputs.items() if key.endswith(ending)}


def stacked(inputs: Mapping[str, pd.DataFrame], part: str, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Stack a part of every dictionary, see `metrics.table.stack_tables`."""
    from protsae.metrics.table import stack_tables

    return stack_tables(parts_of(inputs, part).values(), columns)


def stacked_metrics(inputs: Mapping[str, pd.DataFrame], *parts: str) -> pd.DataFrame:
    """Stack rows of the metrics table, part by part; rows that several dictionaries share, such as floors,
    once."""
    from protsae.metrics.table import concat_metrics

    tables = [table for part in parts for table in parts_of(inputs, part).values()]
    return concat_metrics(tables).drop_duplicates(ignore_index=True)


def bound(function: Callable[..., Any], **arguments: Any) -> Callable[..., Any]:
    """Return a node function with arguments fixed, under its own name and signature.

    Kedro tells the types of parameters by their position, so these arguments have to be the last ones.
    """
    return update_wrapper(partial(function, **arguments), function)
