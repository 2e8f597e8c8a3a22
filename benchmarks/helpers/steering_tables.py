"""Tables of steering benchmarks: from judged designs to rows with intervals."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from protsae.core.seeding import numpy_generator
from protsae.metrics.bootstrap import cluster_weights, percentile_interval
from protsae.steering.scoring import Judged, scores, smallest_difference

N_RESAMPLES = 500
REFERENCES = {"difference": "difference_of_means", "over_set": "difference_of_means_set"}
"""Columns to the arms from whose scores the others differ: without a selection, and with the one that sets of
latents get."""
METRICS = ("hit", "gain", "isolation", "naturalness", "score")


def table(
    designs: pd.DataFrame,
    clusters: pd.Series,
    groups: Mapping[str, Sequence[str]],
    extra: Sequence[str],
) -> pd.DataFrame:
    """Return rows for each arm and group of targets, on test.

    Args:
        designs: `arm`, `target`, `seed`, `split`, `protein_id`, `strength`, what `judged` reads, `extra`.
        clusters: protein id to homology cluster.
        groups: name to targets, over which means are taken.
        extra: columns of designs of which the mean is shown.
    """
    test = designs[designs["split"] == "test"]
    ids = np.array(sorted(set(test["protein_id"])))
    weights = cluster_weights(clusters[ids].to_numpy(), N_RESAMPLES, numpy_generator(0, "steering"))
    values: dict[tuple[str, int, str], tuple[dict[str, float], dict[str, np.ndarray]]] = {}
    for (target, seed), own in test.groupby(["target", "seed"]):
        by_arm = {arm: _spread(rows, ids) for arm, rows in own.groupby("arm")}
        for arm, found in by_arm.items():
            samples = scores(found, by_arm["unsteered"], weights)
            values[arm, seed, target] = scores(found, by_arm["unsteered"]), samples
    rows = []
    for group, arm in product(groups, test["arm"].unique()):
        own = {
            s: [values[arm, s, t] for t in groups[group] if (arm, s, t) in values]
            for s in test["seed"].unique()
        }
        own = {seed: found for seed, found in own.items() if found}
        row = {"arm": arm, "target": group, "n_targets": len(groups[group]), "n_seeds": len(own)}
        samples = {}
        for metric in METRICS:
            of_seeds = [np.mean([value[metric] for value, _ in found]) for found in own.values()]
            samples[metric] = np.mean([[s[metric] for _, s in found] for found in own.values()], axis=(0, 1))
            row[metric] = np.mean(of_seeds)
            if metric == "score":
                row["score_sd"] = np.std(of_seeds, ddof=1) if len(own) > 1 else np.nan
        row["score_low"], row["score_high"] = percentile_interval(samples["score"])
        chosen = test[(test["arm"] == arm) & test["target"].isin(groups[group])]
        row |= {
            "strength": chosen["strength"].mean(),
            **chosen[list(extra)].mean(),
            "n_designs": len(chosen),
        }
        rows.append((row, samples["score"]))
    of = {(row["arm"], row["target"]): (row["score"], samples) for row, samples in rows}
    for row, samples in rows:
        for column, arm in REFERENCES.items():
            score, reference = of[arm, row["target"]]
            row[column] = row["score"] - score
            row[f"{column}_low"], row[f"{column}_high"] = percentile_interval(samples - reference)
        row["detectable"] = smallest_difference(samples - of[REFERENCES["difference"], row["target"]][1])
    return pd.DataFrame([row for row, _ in rows])


def doses(designs: pd.DataFrame) -> pd.DataFrame:
    """Return the scores on validation by arm, target and strength, means over seeds."""
    rows = []
    of = designs[designs["split"] == "validation"]
    for (target, seed), own in of.groupby(["target", "seed"]):
        plain = judged(own[own["arm"] == "unsteered"])
        for (arm, strength), found in own.groupby(["arm", "strength"]):
            rows.append(
                {
                    "arm": arm,
                    "target": target,
                    "seed": seed,
                    "strength": strength,
                    **scores(judged(found), plain),
                }
            )
    return pd.DataFrame(rows).groupby(["target", "arm", "strength"], as_index=False)[list(METRICS)].mean()


def effects(designs: pd.DataFrame, clusters: pd.Series, controls: Sequence[str]) -> pd.DataFrame:
    """Return for each arm and control of how many targets the arm's judge score is above the control's on
    test, the interval of the paired difference above 0 (`n_above`), or below it (`n_below`).

    Means are over seeds, then over targets. `above_all` counts the targets above every control.
    """
    test = designs[designs["split"] == "test"].groupby(["target", "arm", "protein_id"])["hit"].mean()
    ids = np.array(sorted(set(test.index.get_level_values("protein_id"))))
    weights = cluster_weights(clusters[ids].to_numpy(), N_RESAMPLES, numpy_generator(0, "steering"))
    wide = test.unstack("protein_id")[list(ids)]
    rows, above = [], {}
    arms = [arm for arm in designs["arm"].unique() if arm not in controls]
    for arm, control in product(arms, controls):
        paired = (wide.xs(arm, level="arm") - wide.xs(control, level="arm")).to_numpy()
        known = ~np.isnan(paired)
        samples = (weights @ np.where(known, paired, 0.0).T) / (weights @ known.T)
        bounds = np.array([percentile_interval(of) for of in samples.T])
        above[arm, control] = bounds[:, 0] > 0
        low, high = percentile_interval(samples.mean(axis=1))
        rows.append(
            {
                "arm": arm,
                "control": control,
                "n_targets": len(paired),
                "n_above": int(above[arm, control].sum()),
                "n_below": int((bounds[:, 1] < 0).sum()),
                "difference": np.nanmean(paired, axis=1).mean(),
                "low": low,
                "high": high,
                "detectable": smallest_difference(samples.mean(axis=1)),
                "detectable_in_one": np.median([smallest_difference(of) for of in samples.T]),
            }
        )
    found = pd.DataFrame(rows)
    every = {arm: int(np.all([above[arm, control] for control in controls], axis=0).sum()) for arm in arms}
    return found.assign(above_all=found["arm"].map(every))


def quadrants(latents: pd.DataFrame, least_auc: float = 0.75) -> pd.DataFrame:
    """Count latents by association and causal effect.

    A latent is associated from an AUC of `least_auc` on. It has an effect above the 95th percentile of the
    random latents of its architecture.

    Args:
        latents: `architecture`, `kind`, `association`, `effect`; of kind `random` too.
        least_auc: see above.
    """
    rows = []
    for architecture, own in latents.groupby("architecture", sort=False):
        bound = own.loc[own["kind"] == "random", "effect"].quantile(0.95)
        for kind, each in own.groupby("kind", sort=False):
            reads, steers = each["association"] >= least_auc, each["effect"] > bound
            rows.append(
                {
                    "architecture": architecture,
                    "kind": kind,
                    "n": len(each),
                    "reads_and_steers": int((reads & steers).sum()),
                    "reads_only": int((reads & ~steers).sum()),
                    "steers_only": int((~reads & steers).sum()),
                    "neither": int((~reads & ~steers).sum()),
                    "steers_of_reads": (reads & steers).sum() / max(1, reads.sum()),
                    "spearman": each["association"].corr(each["effect"], method="spearman"),
                    "mean_effect": each["effect"].mean(),
                    "effect_bound": bound,
                }
            )
    return pd.DataFrame(rows)


def judged(table: pd.DataFrame) -> Judged:
    """Return the values of a table of designs."""
    return Judged(*(table[name].to_numpy(np.float64) for name in ("hit", "isolation", "naturalness")))


def _spread(rows: pd.DataFrame, ids: np.ndarray) -> Judged:
    found = rows.set_index("protein_id").reindex(ids)
    return judged(found)
