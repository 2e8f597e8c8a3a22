"""What is steered: concepts with their ancestors, or latents by number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from protsae.core.config import unknown_key_message
from protsae.core.errors import MALFORMED, InputError


@dataclass(frozen=True)
class SteeringTarget:
    """A name, and the latents that are raised for it."""

    name: str
    raised: Mapping[int, float]
    """Latent to its largest code in training."""


def read_largest(path: Path) -> dict[int, float]:
    """Return the largest code of each latent in training, from a table of latent statistics.

    Raises:
        InputError: the file is no such table, lists a latent twice, or has a code that is no number.
    """
    table = _read_table(path, {"latent": "int64", "max_act": "float64"})
    if (twice := table["latent"].duplicated()).any():
        raise InputError(f"{path}: latent {table.loc[twice, 'latent'].iloc[0]} is there twice: keep one row")
    if (wrong := ~table["max_act"].between(0, 1e30)).any():
        latent, value = table.loc[wrong].iloc[0]
        raise InputError(f"{path}: max_act of latent {latent:.0f} is {value}, which is no largest code")
    return dict(zip(table["latent"].tolist(), table["max_act"].tolist(), strict=True))


def read_relations(path: Path) -> pd.DataFrame:
    """Return `child_id` and `parent_id` of a table of relations.

    Raises:
        InputError: the file is no such table.
    """
    return _read_table(path, {"child_id": "str", "parent_id": "str"})


def _read_table(path: Path, types: Mapping[str, str]) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = pa.schema([(name, pa.string() if kind == "str" else kind) for name, kind in types.items()])
    try:
        found = pq.read_table(path, columns=list(types)).cast(wanted)
        if any(column.null_count for column in found.columns):
            raise ValueError("values are missing")
        table: pd.DataFrame = found.to_pandas()
    except (OSError, pa.ArrowException, *MALFORMED) as error:
        raise InputError(
            f"{path} is no Parquet table with the columns {' and '.join(types)} ({error}): run the pipeline "
            "that makes it, or give another file in conf/local/catalog.yml"
        ) from error
    return table


def parents_of(relations: pd.DataFrame) -> dict[str, list[str]]:
    """Return concept to those right above it, along every relation.

    Args:
        relations: `child_id`, `parent_id`.
    """
    return {str(child): own.tolist() for child, own in relations.groupby("child_id")["parent_id"]}


def with_ancestors(concept_id: str, parents: Mapping[str, Sequence[str]]) -> set[str]:
    """Return a concept and all that lie above it.

    Args:
        concept_id: the concept.
        parents: see `parents_of`.
    """
    found, new = {concept_id}, [concept_id]
    while new:
        new = [parent for child in new for parent in parents.get(child, []) if parent not in found]
        found.update(new)
    return found


def targets_of(
    concepts: Sequence[str],
    latents: Sequence[int],
    concept_ids: Sequence[str],
    largest: Mapping[int, float],
    relations: pd.DataFrame | None,
) -> list[SteeringTarget]:
    """Return one target per concept and per latent.

    Args:
        concepts: ids of concepts.
        latents: numbers of latents.
        concept_ids: concepts that the dictionary's first latents are tied to.
        largest: latent to its largest code in training.
        relations: see `parents_of`; None: ancestors are not raised.

    Raises:
        InputError: nothing to steer, an unknown concept or latent, or a latent that never fired.
    """
    if not concepts and not latents:
        raise InputError("nothing to steer: give steering.concepts, steering.latents, or both")
    index = {concept_id: i for i, concept_id in enumerate(concept_ids)}
    parents = {} if relations is None else parents_of(relations)
    found = []
    for concept_id in concepts:
        if concept_id not in index:
            raise InputError(f"steering.concepts: {unknown_key_message(concept_id, index, 'concept')}")
        ids = with_ancestors(concept_id, parents)
        found.append((concept_id, sorted(index[name] for name in ids if name in index)))
    found += [(f"latent {latent}", [latent]) for latent in latents]
    if unknown := [i for _, each in found for i in each if i not in largest]:
        raise InputError(f"latent {unknown[0]} does not exist: the dictionary has {len(largest)}")
    targets = [SteeringTarget(name, {i: largest[i] for i in each if largest[i] > 0}) for name, each in found]
    if dead := [target.name for target in targets if not target.raised]:
        raise InputError(f"{dead[0]}: its latents never fired in training, so that they have no scale")
    return targets
