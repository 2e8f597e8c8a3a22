"""Compare the members of a sweep: the layout of ProtSAE's Table 1, curves over sparsity, ablations, layers.

Everything is read from one table, `member` and the columns of metrics.csv; test proteins, means over seeds.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import pandas as pd
import plotly.graph_objects as go

from protsae.reporting.dictionaries import REFERENCE_LABELS, Dictionaries
from protsae.reporting.palette import BLUE, DICTIONARY_COLOURS, GREEN, GREY, SKY
from protsae.reporting.panels import Panels, error_bars
from protsae.reporting.selection import rounded
from protsae.reporting.style import ASPECTS, METRIC_LABELS, empty_figure, plain, styled

SCORES = ("fmax", "wfmax", "smin", "aupr", "aupr_micro", "auc")
"""Of proteins, in the order of the paper's table."""
FIDELITY = ("fve", "l0", "dead_share", "defined_participation")
TABLE_KEYS = ("variant", "method", "supervision", "hook_point", "k", "n_seeds")
_PRESETS = ("", "cafa")
_ROLE = re.compile(r"_(latent|gate|predictor|probe|k\d+)$")
_PAIRED = ("auc", "aupr", "fmax", "fve", "defined_participation")
_ENDS: dict[str, Literal["mean", "min", "max"]] = {"": "mean", "_low": "min", "_high": "max"}
_CHANGE_KEYS = ("ablation", "part", "metric")
_NO_MEMBERS = "No members: kedro run --pipelines sweeps"


def member_values(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return what the tables and figures read: test proteins, all strata together, CAFA's rules.

    Args:
        metrics: `member` and the columns of metrics.csv.

    Returns:
        `variant` (the member without its seed), `seed`, `method`, `name` (the method without what it scores
        by), `supervision`, `hook_point`, `k`, `aspect` (empty for reconstruction), `metric`, `value`.
    """
    texts = {
        column: metrics[column].astype(object).fillna("")
        for column in ("aspect", "preset", "stratum", "supervision")
    }
    table = metrics.assign(**texts)
    wanted = (table["split"] == "test") & (table["stratum"] == "") & table["preset"].isin(_PRESETS)
    table = table[wanted & table["metric"].isin([*SCORES, *FIDELITY])]
    return table.assign(
        variant=table["member"].str.replace(r"-seed\d+$", "", regex=True),
        name=table["method"].map(_name_of).where(table["metric"].isin(SCORES), table["method"]),
    )[["variant", "seed", "method", "name", "supervision", "hook_point", "k", "aspect", "metric", "value"]]


def comparison_table(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return one row per method and variant: every score by aspect and as their mean, and reconstruction.

    Args:
        metrics: see `member_values`.

    Returns:
        `TABLE_KEYS`; `<metric>_mean`, `<metric>_sd` over seeds (empty for one seed) of the aspects'
        mean; `<metric>_BPO` and so on; `fve`, `l0`, `dead_share`, `defined_participation` of the dictionary
        that the method reads. Best AUC first.
    """
    values = member_values(metrics)
    scores = values[values["metric"].isin(SCORES)]
    quality = values[values["metric"].isin(FIDELITY)].groupby(["variant", "metric"])["value"].mean().unstack()
    rows = []
    for (variant, method), of_method in scores.groupby(["variant", "method"], sort=False):
        first = of_method.iloc[0]
        row = {"variant": variant, "method": method, "supervision": first["supervision"]}
        row |= {"hook_point": first["hook_point"], "k": first["k"], "n_seeds": of_method["seed"].nunique()}
        for (metric, aspect), found in of_method.groupby(["metric", "aspect"])["value"]:
            if aspect == "mean":
                row |= {f"{metric}_mean": found.mean(), f"{metric}_sd": found.std()}
            elif aspect in ASPECTS:
                row[f"{metric}_{aspect}"] = found.mean()
        rows.append(row)
    columns = [f"{metric}_{part}" for metric in SCORES for part in ("mean", "sd", *ASPECTS)]
    table = pd.DataFrame(rows).reindex(columns=[*TABLE_KEYS, *columns])
    table = table.join(quality.reindex(columns=list(FIDELITY)), on="variant")
    return table.sort_values(["auc_mean", "variant"], ascending=[False, True], ignore_index=True)


def curve_figure(
    metrics: pd.DataFrame, dictionaries: Dictionaries, leave_out: Sequence[str] = ()
) -> go.Figure:
    """Draw FVE and the AUC of latents against L0, one line per name; bars reach from lowest to highest seed.

    Args:
        metrics: see `member_values`.
        dictionaries: those of the run, which have the same colours in every figure.
        leave_out: names that are not drawn (ablations).
    """
    points = _points(member_values(metrics))
    points = points[~points["name"].isin(leave_out)]
    if points.empty:
        return empty_figure(_NO_MEMBERS)
    lines = {str(name): of_name.sort_values("l0").set_index("l0") for name, of_name in points.groupby("name")}
    figure = _two_panels(lines, dictionaries)
    figure.update_xaxes(title_text=METRIC_LABELS["l0"], type="log")
    return figure


def ablation_figure(metrics: pd.DataFrame, ablations: Sequence[str], whole: str) -> go.Figure:
    """Draw what each ablation changes: the difference from the whole method, seed by seed, and its range.

    Args:
        metrics: see `member_values`.
        ablations: their names.
        whole: name of what they are taken from.
    """
    table = ablation_table(metrics, ablations, whole)
    if table.empty:
        return empty_figure("No ablations in this sweep")
    shown = [metric for metric in _PAIRED if metric in set(table["metric"])]
    titles = [METRIC_LABELS.get(metric, metric).split(" (")[0] for metric in shown]
    panels = Panels(titles, shared_yaxes=True, horizontal_spacing=0.03)
    for panel, metric in enumerate(shown):
        rows = table[table["metric"] == metric]
        for part, colour in zip(("latent", "predictor", ""), (BLUE, GREEN, GREY), strict=True):
            bars = rows[rows["part"] == part]
            if bars.empty:
                continue
            trace = go.Bar(
                x=rounded(bars["difference"], 5),
                y=bars["ablation"].tolist(),
                orientation="h",
                error_x=error_bars(bars[["difference", "low", "high"]], 5, thickness=1),
                name=part or "dictionary",
                marker_color=colour,
                hovertemplate="%{y}: %{x:+.4f}<extra></extra>",
            )
            panels.add(trace, panel, part)
    figure = panels.figure
    figure.update_xaxes(title_text="difference", zeroline=True)
    return styled(figure, height=120 + 60 * table["ablation"].nunique())


def ablation_table(metrics: pd.DataFrame, ablations: Sequence[str], whole: str) -> pd.DataFrame:
    """Return `ablation`, `part`, `metric`, `n_seeds`, `difference`, `low`, `high`.

    The part is latent, predictor, or empty for the dictionary. The difference from the whole method is taken
    seed by seed; low and high are the least and the most of any seed. Scores are means of the aspects.
    """
    values = member_values(metrics)
    values = values[values["metric"].isin(_PAIRED) & values["aspect"].isin(["mean", ""])]
    values = values.assign(
        part=[m.removeprefix(n)[1:] for m, n in zip(values["method"], values["name"], strict=True)]
    )
    keys = ["part", "metric", "hook_point", "seed"]
    base = values[values["name"] == whole].set_index(keys)["value"]
    rows = []
    for name in ablations:
        own = values[values["name"] == name].set_index(keys)["value"]
        change = (own - base).dropna().rename("difference").reset_index()
        change.insert(0, "ablation", name)
        rows.append(change)
    if not rows:
        return pd.DataFrame(columns=[*_CHANGE_KEYS, "n_seeds", "difference", "low", "high"])
    by_seed = pd.concat(rows, ignore_index=True).groupby(list(_CHANGE_KEYS), sort=False)["difference"]
    return by_seed.agg(n_seeds="count", difference="mean", low="min", high="max").reset_index()


def layer_figure(metrics: pd.DataFrame, dictionaries: Dictionaries) -> go.Figure:
    """Draw AUC of latents and FVE against the hook point, for names that were trained on several."""
    points = _points(member_values(metrics))
    several = points.groupby("name")["hook_point"].transform("nunique") > 1
    points = points[several]
    if points.empty:
        return empty_figure("One hook point: list several under sweeps.sweep.hook_points")
    order = sorted(points["hook_point"].unique(), key=_depth)
    columns = [f"{metric}{end}" for metric in ("fve", "auc") for end in _ENDS]
    lines = {
        str(name): of_name.groupby("hook_point")[columns].mean().reindex(order)
        for name, of_name in points.groupby("name")
    }
    return _two_panels(lines, dictionaries)


def _two_panels(lines: Mapping[str, pd.DataFrame], dictionaries: Dictionaries) -> go.Figure:
    """Draw FVE and the latents' AUC over the index of each table: a line per name, bars from low to high."""
    panels = Panels(["", ""], horizontal_spacing=0.12)
    colours = _colours(lines, dictionaries)
    for name, table in lines.items():
        for panel, metric in enumerate(("fve", "auc")):
            shown = table[table[metric].notna()]
            trace = go.Scatter(
                x=shown.index.tolist(),
                y=rounded(shown[metric], 5),
                error_y=error_bars(shown[[f"{metric}{end}" for end in _ENDS]], 5, thickness=1),
                mode="lines+markers",
                name=plain(name),
                line={"color": colours[name], "width": 2},
                hovertemplate=f"{plain(name)}<br>%{{x}}: %{{y}}<extra></extra>",
            )
            panels.add(trace, panel, name)
    figure = panels.figure
    figure.update_yaxes(title_text=METRIC_LABELS["fve"], col=1)
    figure.update_yaxes(title_text="AUC of latents, mean of aspects", col=2)
    return styled(figure)


def _points(values: pd.DataFrame) -> pd.DataFrame:
    """Return per variant of a dictionary: mean, low and high over seeds of l0, fve and the latents' AUC."""
    quality = values[values["metric"].isin(["fve", "l0"]) & (values["method"] == values["name"])]
    latents = values[(values["metric"] == "auc") & (values["aspect"] == "mean")]
    latents = latents[latents["method"] == latents["name"] + "_latent"]
    both, keys = pd.concat([quality, latents]), ["variant", "name", "hook_point"]
    parts = []
    for end, part in _ENDS.items():
        wide = both.pivot_table(index=keys, columns="metric", values="value", aggfunc=part)
        parts.append(wide.reindex(columns=["l0", "fve", "auc"]).add_suffix(end))
    return pd.concat(parts, axis=1).dropna(subset=["l0"]).reset_index()


def _name_of(method: str) -> str:
    return method if method in REFERENCE_LABELS else _ROLE.sub("", method)


def _depth(hook_point: str) -> tuple[int, str]:
    """Order hook points by layer, the final norm last."""
    parts = hook_point.split(".")
    return (int(parts[1]), hook_point) if len(parts) > 1 and parts[1].isdigit() else (10**6, hook_point)


def _colours(names: Iterable[str], dictionaries: Dictionaries) -> dict[str, str]:
    """Return a colour for each name: those of dictionaries as in every figure, the others in turn."""
    known = {name: dictionaries.colour(name) for name in dictionaries.names}
    free = [colour for colour in (*DICTIONARY_COLOURS, SKY, GREY) if colour not in known.values()] or [GREY]
    others = sorted(set(names).difference(known))
    return known | {name: free[i % len(free)] for i, name in enumerate(others)}
