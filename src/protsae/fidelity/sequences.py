"""Which sequences are scored, and which of their residues are masked."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator
from protsae.fidelity.config import SequencesConfig
from protsae.pretraining.masking import choose_residues

PROTEIN, WHOLE, JOINED = "protein", "whole", "joined"
"""Kinds: a test protein (in windows where it is long); one longer than any in training, run whole; test
proteins joined end to end beyond that length."""
SEQUENCE_COLUMNS = ("sequence_id", "kind", "cluster_id", "length", "sequence", "masked")


def choose_sequences(
    proteins: pd.DataFrame, stored: Collection[str], config: SequencesConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Choose test proteins, long sequences, and the residues that are masked in each.

    Args:
        proteins: the `proteins` table.
        stored: proteins that have activations; no others take part.
        config: how many, and the seed.

    Returns:
        (`SEQUENCE_COLUMNS`: `masked` is a list of 0-based positions, one joined sequence its own cluster;
        counts of what takes part and of what is left out).

    Raises:
        InputError: there is nothing to score.
    """
    usable = proteins[proteins["protein_id"].isin(set(stored))].sort_values("protein_id")
    test = usable[usable["split"] == "test"]
    lengths = usable.loc[usable["split"] == "train", "sequence"].str.len()
    longest = int(min(lengths.max() if len(lengths) else 0, config.max_residues))
    rows = [(name, PROTEIN, cluster, sequence) for name, cluster, sequence in _sampled(test, config)]
    is_long = test["sequence"].str.len() > longest
    fits = test["sequence"].str.len() <= config.max_whole_residues
    whole = [
        (f"{name} whole", WHOLE, cluster, sequence)
        for name, cluster, sequence in _shuffled(test[is_long & fits], config)
    ]
    rows += whole[: config.n_long]
    rows += _joined(_shuffled(test, config), longest, max(0, config.n_long - len(whole)), config)
    found = [(*row, _masks(row[3], config)) for row in rows]
    kept = [row for row in found if len(row[4])]
    if not any(row[1] == PROTEIN for row in kept):
        raise InputError(
            "no test protein with activations holds any of the twenty amino acids: there is nothing to "
            "guess; change splitting.split or extract again"
        )
    table = pd.DataFrame(
        [(name, kind, cluster, len(text), text, masked) for name, kind, cluster, text, masked in kept],
        columns=list(SEQUENCE_COLUMNS),
    )
    counts = {kind: int((table["kind"] == kind).sum()) for kind in (PROTEIN, WHOLE, JOINED)}
    left_out = {
        "test_proteins_not_drawn": len(test) - sum(row[1] == PROTEIN for row in rows),
        "sequences_without_amino_acids": len(found) - len(kept),
        "long_proteins_not_run_whole": int(is_long.sum()) - len(whole[: config.n_long]),
    }
    longest_run = {"longest_stretch_in_training": longest}
    return table, {"scored": counts, "left_out": left_out, **longest_run, "n_masked": _n_masked(table)}


def _sampled(test: pd.DataFrame, config: SequencesConfig) -> list[tuple[str, str, str]]:
    """Return id, cluster and sequence of the proteins that are scored, by id."""
    triples = list(_triples(test))
    if config.max_proteins is None or len(triples) <= config.max_proteins:
        return triples
    rng = numpy_generator(config.seed, "fidelity", "proteins")
    drawn = rng.choice(len(triples), config.max_proteins, replace=False)
    return [triples[i] for i in sorted(drawn.tolist())]


def _shuffled(test: pd.DataFrame, config: SequencesConfig) -> list[tuple[str, str, str]]:
    triples = list(_triples(test))
    order = numpy_generator(config.seed, "fidelity", "long").permutation(len(triples))
    return [triples[i] for i in order]


def _triples(table: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    return zip(table["protein_id"], table["cluster_id"].astype(str), table["sequence"], strict=True)


def _joined(
    proteins: Iterable[tuple[str, str, str]], longest: int, n: int, config: SequencesConfig
) -> list[tuple[str, str, str, str]]:
    """Join proteins end to end, each in one sequence at most, until each is longer than `longest`."""
    rows: list[tuple[str, str, str, str]] = []
    text = ""
    for _, _, sequence in proteins:
        if len(rows) == n:
            break
        text += sequence
        if len(text) > config.max_whole_residues:
            text = ""
        elif len(text) > longest:
            name = f"joined {len(rows)}"
            rows.append((name, JOINED, name, text))
            text = ""
    return rows


def _masks(sequence: str, config: SequencesConfig) -> list[int]:
    rng = numpy_generator(config.seed, "fidelity", "masks", sequence)
    chosen: np.ndarray = choose_residues(sequence, config.mask_probability, rng)
    return [int(position) for position in chosen]


def _n_masked(table: pd.DataFrame) -> dict[str, int]:
    """Return the number of masked residues by kind."""
    return {str(kind): int(masked.map(len).sum()) for kind, masked in table.groupby("kind")["masked"]}
