"""How well the explanations of a dictionary do, in a few lines."""

import pandas as pd

from protsae.explanation.tables import SCORES

SUMMARY_COLUMNS = (
    *("method", "kind", "author", "is_generated", "n_latents", "n_scored", "n_high", "n_medium"),
    *("share_concept", "share_letters"),
    *(column for score in SCORES for column in (score, f"{score}_floor")),
)


def summarise(explanations: pd.DataFrame, latents: pd.DataFrame) -> pd.DataFrame:
    """Return means per dictionary, kind of latent and author, in `SUMMARY_COLUMNS`.

    Scores and shares are over scored latents. `share_concept` have a concept among the conditions of their
    rule, `share_letters` an amino acid and nothing else: their latents say no more than the sequence does.

    Args:
        explanations: in the columns `tables.COLUMNS`.
        latents: `method`, `latent`, `kind`.
    """
    kinds = latents[["method", "latent", "kind"]]
    table = explanations.merge(kinds, on=["method", "latent"], how="left", validate="many_to_one")
    is_scored = table["n_scored"] > 0
    kind_of = table["rule"].str.findall(r'"kind": "(\w+)"')
    table = table.assign(
        scored=is_scored,
        is_high=table["confidence"] == "high",
        is_medium=table["confidence"] == "medium",
        has_concept=kind_of.map(lambda kinds: float("concept" in kinds)).where(is_scored),
        letters_alone=kind_of.map(lambda kinds: float(kinds == ["letters"])).where(is_scored),
        **{column: table[column].where(is_scored) for column in SUMMARY_COLUMNS[-2 * len(SCORES) :]},
    )
    found = (
        table.groupby(["method", "kind", "author", "is_generated"], sort=True)
        .agg(
            n_latents=("latent", "size"),
            n_scored=("scored", "sum"),
            n_high=("is_high", "sum"),
            n_medium=("is_medium", "sum"),
            share_concept=("has_concept", "mean"),
            share_letters=("letters_alone", "mean"),
            **{column: (column, "mean") for column in SUMMARY_COLUMNS[-2 * len(SCORES) :]},
        )
        .reset_index()
    )
    return found[list(SUMMARY_COLUMNS)]
