"""What judging found, resample by resample, as a table: what is asked of several members together (means over
seeds, paired differences) is answered from it without judging again."""

from typing import Any

import pandas as pd

from protsae.probing.estimates import Estimate, Key
from protsae.sweeps.judging import Judgement

COLUMNS = ["method", "supervision", "seed", "hook_point", "k", *Key._fields, "value", "n", "samples"]


def estimates_table(found: Judgement) -> pd.DataFrame:
    """Return all estimates on test proteins, one row each.

    `samples` holds the values in the resamples of homology clusters, which are the same for all members that
    were judged with the same settings; it is null where there are none.
    """
    rows: list[dict[str, Any]] = [
        {
            "method": method,
            "supervision": found.supervision[method],
            "hook_point": "",
            **found.about.get(method, {}),
            **key._asdict(),
            **vars(estimate),
        }
        for (method, split), evaluation in found.evaluations.items()
        if split == "test"
        for key, estimate in evaluation.estimates.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"seed": "Int64", "k": "Int64"})


def estimates_of(rows: pd.DataFrame) -> dict[Key, Estimate]:
    """Return the estimates that rows of one method and seed hold."""
    keys = zip(*(rows[name] for name in Key._fields), strict=True)
    values = zip(rows["value"], rows["n"], rows["samples"], strict=True)
    return {Key(*key): Estimate(*value) for key, value in zip(keys, values, strict=True)}
