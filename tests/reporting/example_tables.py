"""A small made-up run: tables in the columns of docs/architecture.md, with hostile texts among them."""

from typing import Any

import numpy as np
import pandas as pd

from protsae.metrics.table import concat_metrics, metric_rows
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.tables import ReportTables

HOSTILE = "</script><img src=x onerror=alert(1)>"
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"
NAMES = {"BPO": "process", "MFO": "activity", "CCO": "compartment"}
DICTIONARIES = Dictionaries({"protsae": "protsae", "topk": "topk"}, "protsae", "topk")
GUIDED_SCORES = {"latent": ("training", 0.712), "predictor": ("training", 0.744), "probe": ("probe", 0.701)}
FREE_SCORES = {"latent": ("selection", 0.655), "probe": ("probe", 0.693)}
REFERENCES = {
    "linear_probe": ("probe", 0.751),
    "prevalence": ("none", 0.5),
    "shuffled_labels": ("none", 0.497),
}


def supervision_of(dictionaries: Dictionaries) -> dict[str, tuple[str, float]]:
    """Return each method with how it saw labels and its AUC."""
    own = {
        f"{name}_{role}": scores
        for name in dictionaries.names
        for role, scores in (GUIDED_SCORES if name in dictionaries.guided else FREE_SCORES).items()
    }
    return {**own, **REFERENCES}


SUPERVISION = supervision_of(DICTIONARIES)
HOOK_POINT = "layers.2.resid_post"


def make_tables(
    dictionaries: Dictionaries = DICTIONARIES,
    n_proteins: int = 90,
    n_concepts: int = 12,
    n_free: int = 40,
    seed: int = 7,
) -> ReportTables:
    """Return a run's tables; the first protein's description and the first concept's name hold markup."""
    rng = np.random.default_rng(seed)
    proteins = _proteins(rng, n_proteins)
    concepts = _concepts(rng, n_concepts)
    latents = _latents(rng, dictionaries, concepts, n_free)
    return ReportTables(
        proteins=proteins,
        split_audit=pd.DataFrame(
            {
                "split": ["validation", "test"],
                "n_proteins": [18, 18],
                "n_searched": [18, 18],
                "n_with_relative": [1, 0],
                "share_with_relative": [1 / 18, 0.0],
                "n_excluded": [1, 0],
                "min_identity": [0.3, 0.3],
                "min_query_coverage": [0.5, 0.5],
                "method": ["kmer", "kmer"],
            }
        ),
        sequence_report={
            "n_records": n_proteins + 3,
            "n_merged": 3,
            "mapped_residues": {"U": 2, "B": 1},
            "dropped": ["X1"],
        },
        annotation_report={"n_rows": 1234, "n_matched": 1200, "note": HOSTILE},
        annotation_ids=pd.DataFrame(
            {
                "term_id": ["GO:0005737", "GO:0000004", "GO:9999999"],
                "status": ["current", "obsolete", "unknown"],
                "resolved_id": ["GO:0005737", None, None],
                "n_rows": [300, 4, 1],
            }
        ),
        concepts=concepts,
        concepts_left_out=pd.DataFrame(
            {
                "concept_id": [f"GO:01{index:05d}" for index in range(150)],
                "name": [f"rare term {index}" for index in range(150)],
                "aspect": ["BPO"] * 150,
                "reason": ["too few positives"] * 149 + ["too common"],
                "n_train": range(150),
                "n_validation": [1] * 150,
                "n_test": [1] * 150,
            }
        ),
        metrics=_metrics(rng, dictionaries),
        concept_metrics=_concept_metrics(rng, dictionaries, concepts),
        residue_concept_metrics=_residue_concept_metrics(dictionaries),
        method_differences=_differences(dictionaries),
        statistics={
            name: _statistics(
                rng, latents[latents["method"] == name], n_concepts if name in dictionaries.guided else 0
            )
            for name in dictionaries.names
        },
        latents=latents,
        latent_concepts=_latent_concepts(rng, latents, concepts),
        latent_examples=_examples(rng, latents, proteins),
        alignment_summary=_alignment_summary(dictionaries, n_concepts),
    )


def _differences(dictionaries: Dictionaries) -> pd.DataFrame:
    """The subject's latents lead the rival's; their lead over the linear probe is not significant."""
    own, rival = f"{dictionaries.subject}_latent", dictionaries.rival
    pairs = {f"{own} - linear_probe": (-0.039, -0.081, 0.003)}
    if rival is not None:
        pairs = {f"{own} - {rival}_latent": (0.057, 0.031, 0.084), **pairs}
    return concat_metrics(
        metric_rows(
            {"auc": value}, method=pair, aspect=aspect, split="test", n=3, intervals={"auc": (low, high)}
        )
        for pair, (value, low, high) in pairs.items()
        for aspect in ("BPO", "mean")
    )


def _alignment_summary(dictionaries: Dictionaries, n_concepts: int) -> pd.DataFrame:
    found = {
        **{name: 5 - i for i, name in enumerate(dictionaries.names)},
        "neurons": 1,
        "residue_identity": 0,
    }
    rows = [
        (method, "protein", aspect, n_concepts, n, max(n - 2, 0), n / n_concepts, 0.5, 0.3 + n / 100, 0.3)
        for method, n in found.items()
        for aspect in ("BPO", "all")
    ]
    names = "method level aspect n_concepts n_found n_found_bh share_found f1_validation f1_test f1_top"
    return pd.DataFrame(rows, columns=names.split()).assign(f1_always_on=0.22, f1_identity=0.25)


def make_alignment(dictionaries: Dictionaries = DICTIONARIES) -> pd.DataFrame:
    """Return `concept_alignment` of four concepts of proteins, two latents each."""
    rows = [
        (method, "protein", f"GO:{i}", rank, round(0.9 - 0.2 * i - 0.1 * rank, 2), round(0.3 - 0.05 * i, 2))
        for method in (*dictionaries.names, "neurons", "residue_identity")
        for i in (2, 0, 1, 3)
        for rank in (1, 2)
    ]
    return pd.DataFrame(rows, columns=["method", "level", "concept_id", "rank", "f1_test", "f1_always_on"])


def make_monosemanticity(dictionaries: Dictionaries = DICTIONARIES) -> pd.DataFrame:
    """Return the scores of three latents per kind and judge, one of them not judged."""
    kinds = [(name, kind) for name in dictionaries.names for kind in dictionaries.kinds(name)]
    rows = [
        (method, kind, judge, aspect, latent < 2, 0.1 * latent)
        for method, kind in (*kinds, ("neurons", "neuron"))
        for judge, aspect in (("windows", ""), ("lin", "MFO"), ("lin", "BPO"))
        for latent in range(3)
    ]
    return pd.DataFrame(rows, columns=["method", "kind", "judge", "aspect", "is_judged", "score"])


def _residue_concept_metrics(dictionaries: Dictionaries) -> pd.DataFrame:
    rows = [
        (method, 7 + i, f"motif:{name}", f"{name} {HOSTILE}", "motif", split, 900, 30 + i, auc, 0.1)
        for i, name in enumerate(("rgd", "walker_a"))
        for method, auc in (
            *((f"{name}_predictor", 0.7 + 0.1 * i) for name in sorted(dictionaries.guided)),
            *((f"{name}_latent", np.nan) for name in sorted(dictionaries.guided)),
            ("residue_identity", 0.6),
            ("position", 0.55),
            ("prevalence", 0.5),
        )
        for split in ("validation", "test")
    ]
    names = "method concept_idx concept_id name aspect split n_residues n_positive auc average_precision"
    return pd.DataFrame(rows, columns=names.split())


def make_logs(dictionaries: Dictionaries = DICTIONARIES, n_steps: int = 20) -> dict[str, pd.DataFrame]:
    """Return the training logs of all dictionaries."""
    rows = []
    steps = np.linspace(0, 950, n_steps).astype(int)
    terms = {
        "loss/reconstruction": 40.0,
        "loss/annotation": 0.5,
        "loss/axiom": 0.3,
        "fve": None,
        "l0": 32.0,
        "gate_rate": 0.08,
    }
    for term, level in terms.items():
        for split in ("train", "validation") if term == "fve" else ("train",):
            for step in steps:
                decay = np.exp(-step / 300)
                value = 0.9 - 0.7 * decay if level is None else level * (0.3 + 0.7 * decay)
                rows.append(
                    {"step": step, "epoch": step // 100, "split": split, "term": term, "value": value}
                )
    guided = pd.DataFrame(rows)
    free = guided[~guided["term"].isin(["loss/annotation", "loss/axiom", "gate_rate"])]
    free = free.assign(value=free["value"] * 0.97).reset_index(drop=True)
    return {name: guided if name in dictionaries.guided else free for name in dictionaries.names}


def _proteins(rng: np.random.Generator, n: int) -> pd.DataFrame:
    lengths = np.clip(rng.gamma(4, 70, n), 50, 512).astype("int32")
    ids = sorted(f"P{index:05d}" for index in rng.choice(99999, n, replace=False))
    splits = rng.choice(["train", "validation", "test"], n, p=[0.6, 0.2, 0.2]).tolist()
    splits[-1] = "excluded"
    return pd.DataFrame(
        {
            "protein_id": ids,
            "sequence": ["".join(rng.choice(list(RESIDUES), length)) for length in lengths],
            "length": lengths,
            "description": [HOSTILE, *[f"Protein {index}, made up" for index in range(1, n)]],
            "aliases": "",
            "cluster_id": ids,
            "split": splits,
            "is_audited": [split != "train" for split in splits],
            "nearest_train_id": "",
            "nearest_train_identity": np.nan,
            "nearest_train_coverage": np.nan,
        }
    )


def _concepts(rng: np.random.Generator, n: int) -> pd.DataFrame:
    aspects = [list(NAMES)[index % 3] for index in range(n)]
    counts = rng.integers(40, 200, n)
    frame = pd.DataFrame(
        {
            "concept_id": [f"GO:00{index:05d}" for index in range(n)],
            "name": [f"{NAMES[aspect]} number {index}" for index, aspect in enumerate(aspects)],
            "aspect": aspects,
            "n_train": counts,
            "n_validation": counts // 3,
            "n_test": counts // 3 + 1,
            "prevalence_train": counts / 540,
            "definition": [
                f"A {NAMES[aspect]} that is made up, number {index}." for index, aspect in enumerate(aspects)
            ],
        }
    )
    for split in ("train", "validation", "test"):
        frame[f"n_clusters_{split}"] = frame[f"n_{split}"] // 2
    frame["information_content"] = -np.log2(frame["prevalence_train"])
    frame.insert(0, "concept_idx", range(n))
    frame.loc[0, "name"] = "binding <b>bold</b> & <script>alert(2)</script>"
    return frame


def _metrics(rng: np.random.Generator, dictionaries: Dictionaries) -> pd.DataFrame:
    parts = []
    common: dict[str, Any] = {"split": "test", "seed": 0, "hook_point": HOOK_POINT, "k": 32}
    for method, (supervision, auc) in supervision_of(dictionaries).items():
        for aspect in ("BPO", "MFO", "CCO", "mean"):
            shift = 0.0 if aspect == "mean" else float(rng.normal(0, 0.01))
            values = {"auc": auc + shift, "aupr": auc - 0.35 + shift, "fmax": auc - 0.25 + shift}
            intervals = {name: (value - 0.02, value + 0.02) for name, value in values.items()}
            parts.append(
                metric_rows(
                    values,
                    method=method,
                    aspect=aspect,
                    supervision=supervision,
                    n=12,
                    intervals=intervals,
                    **common,
                )
            )
    health = {"fve": 0.812, "l0": 33.4, "dead_share": 0.02}
    defined = {"gate_rate": 0.081, "defined_participation": 0.213, "subsumption_auc": 0.678}
    for i, name in enumerate(dictionaries.names):
        is_guided = name in dictionaries.guided
        values = {key: value * (1 + 0.02 * i) for key, value in health.items()}
        parts.append(
            metric_rows(values | (defined if is_guided else {}), method=name, aspect="all", **common)
        )
        parts += [
            metric_rows(m, method=name, intervals=b, **common, **k) for m, b, k in _evidence(i, is_guided)
        ]
    return concat_metrics(parts)


def _evidence(i: int, is_guided: bool) -> list[tuple[dict[str, float], Any, dict[str, str]]]:
    """Values, intervals, labels of what is measured of dictionary i: fidelity, alignment, disentanglement."""
    recovered = 0.94 - 0.01 * i
    losses = {"loss_recovered_mean": recovered, "loss_recovered": 0.99, "mlm_ce_clean": 2.85}
    interval = {"loss_recovered_mean": (recovered - 0.01, recovered + 0.01)}
    rows: list[tuple[dict[str, float], Any, dict[str, str]]] = [
        (losses | {"mlm_ce_sae": 2.89, "mlm_ce_mean": 3.47}, interval, {}),
        (
            {"relevance_f1": 0.31},
            {"relevance_f1": (0.28, 0.35)},
            {"aspect": "all", "stratum": "proteins"},
        ),
        *(
            (
                {"k_sparse_auc": 0.7 + k / 100},
                None,
                {"aspect": "all", "stratum": "proteins", "preset": f"k={k}"},
            )
            for k in (5, 1, 20)
        ),
    ]
    for kind in ("defined", "free") if is_guided else ("free",):
        score = 0.025 if kind == "defined" else 0.004
        of = {"aspect": "BPO", "preset": "lin", "stratum": kind}
        bounds = {"monosemanticity": (score - 0.01, score + 0.01)}
        rows.append(({"monosemanticity": score, "monosemanticity_above_chance": 0.08}, bounds, of))
        absorbed = {"absorption": 0.05, "absorption_excess": -0.15}
        rows.append(
            (
                absorbed,
                {"absorption_excess": (-0.2, 0.01)},
                {"aspect": "all", "preset": "protein", "stratum": kind},
            )
        )
        split = {"splitting_share": 0.07, "splitting_f1_first": 0.37, "splitting_f1": 0.38}
        rows.append((split, None, {"aspect": "all", "stratum": kind}))
    if is_guided:
        name = "monosemanticity_defined_minus_free"
        rows.append(({name: 0.021}, {name: (0.009, 0.032)}, {"aspect": "BPO", "preset": "lin"}))
    return rows


def _concept_metrics(
    rng: np.random.Generator, dictionaries: Dictionaries, concepts: pd.DataFrame
) -> pd.DataFrame:
    frames = []
    for method, (_, auc) in supervision_of(dictionaries).items():
        for split in ("validation", "test"):
            frame = concepts[["concept_idx", "concept_id", "name", "aspect"]].copy()
            frame.insert(0, "method", method)
            frame["split"] = split
            frame["n_positive"] = concepts[f"n_{split}"]
            spread = 0 if auc == 0.5 else 0.05
            frame["auc"] = np.clip(auc + rng.normal(0, spread, len(concepts)), 0, 1) if spread else 0.5
            frame["average_precision"] = frame["auc"] - 0.3
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _latents(
    rng: np.random.Generator, dictionaries: Dictionaries, concepts: pd.DataFrame, n_free: int
) -> pd.DataFrame:
    rows = []
    for method in dictionaries.names:
        n_defined = len(concepts) if method in dictionaries.guided else 0
        for latent in range(n_defined + n_free):
            defined = latent < n_defined
            concept = concepts.iloc[latent if defined else int(rng.integers(len(concepts)))]
            best = concepts.iloc[(latent + 1) % len(concepts)] if defined and latent % 3 == 2 else concept
            floor = float(rng.uniform(0.15, 0.4))
            f1 = floor + float(rng.uniform(-0.05, 0.35))
            dead = not defined and latent == n_defined + n_free - 1
            rows.append(
                {
                    "method": method,
                    "latent": latent,
                    "kind": "defined" if defined else "free",
                    "concept_id": concept["concept_id"] if defined else "",
                    "name": concept["name"] if defined else "",
                    "density": 0.0 if dead else float(10 ** rng.uniform(-3.5, -0.3)),
                    "max_act": 0.0 if dead else float(rng.uniform(2, 9)),
                    "best_concept_id": "" if dead else best["concept_id"],
                    "best_concept_name": "" if dead else best["name"],
                    "best_threshold": 0.1,
                    "f1_validation": np.nan if dead else f1 + float(rng.normal(0, 0.03)),
                    "f1_test": np.nan if dead else f1,
                    "f1_test_always_on": np.nan if dead else floor,
                    "top_residues": "" if dead else "".join(rng.choice(list(RESIDUES), 5, replace=False)),
                }
            )
    return pd.DataFrame(rows)


def _statistics(rng: np.random.Generator, latents: pd.DataFrame, n_defined: int) -> pd.DataFrame:
    defined = np.arange(len(latents)) < n_defined
    frame = pd.DataFrame(
        {
            "latent": latents["latent"].to_numpy(),
            "kind": latents["kind"].to_numpy(),
            "concept_idx": np.where(defined, np.arange(len(latents)), -1),
            "density_train": latents["density"].to_numpy(),
            "density_validation": latents["density"].to_numpy(),
            "density_test": latents["density"].to_numpy(),
            "max_act": latents["max_act"].to_numpy(),
            "mean_nonzero_act": latents["max_act"].to_numpy() / 3,
        }
    )
    frame["gate_rate"] = np.where(defined, rng.uniform(0.02, 0.3, len(latents)), np.nan)
    frame["mean_lift"] = np.where(defined, rng.uniform(0.1, 0.9, len(latents)), np.nan)
    return frame


def _latent_concepts(rng: np.random.Generator, latents: pd.DataFrame, concepts: pd.DataFrame) -> pd.DataFrame:
    """Each latent's best concept, and at rank 5 the own concept of a defined latent that has a better one."""
    rows = []
    for latent in latents[latents["best_concept_id"] != ""].to_dict("records"):
        ranked = [(1, latent["best_concept_id"], latent["best_concept_name"], 1.0)]
        if latent["kind"] == "defined" and latent["concept_id"] != latent["best_concept_id"]:
            ranked.append((5, latent["concept_id"], latent["name"], 0.5))
        for rank, concept_id, name, part in ranked:
            rows.append(
                {
                    "method": latent["method"],
                    "latent": latent["latent"],
                    "rank": rank,
                    "concept_id": concept_id,
                    "name": name,
                    "threshold": 0.1,
                    "f1_validation": latent["f1_validation"] * part,
                    "f1_test": latent["f1_test"] * part,
                    "precision_test": float(rng.uniform(0.2, 0.9)),
                    "recall_test": float(rng.uniform(0.2, 0.9)),
                }
            )
    return pd.DataFrame(rows)


def _examples(rng: np.random.Generator, latents: pd.DataFrame, proteins: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for latent in latents[latents["max_act"] > 0].itertuples():
        for rank in range(1, 5):
            protein = proteins.iloc[
                0 if (latent.latent, rank) == (0, 1) else int(rng.integers(len(proteins)))
            ]
            peak = int(rng.integers(protein["length"]))
            start = max(0, min(peak - 20, int(protein["length"]) - 41))
            window = protein["sequence"][start : start + 41]
            distance = np.abs(np.arange(start, start + len(window)) - peak)
            acts = np.where(distance < 9, latent.max_act / rank * np.exp(-distance / 4), 0) * rng.uniform(
                0.4, 1, len(window)
            )
            acts[peak - start] = latent.max_act / rank
            rows.append(
                {
                    "method": latent.method,
                    "latent": latent.latent,
                    "rank": rank,
                    "protein_id": protein["protein_id"],
                    "split": protein["split"],
                    "description": protein["description"],
                    "max_act": latent.max_act / rank,
                    "peak_index": peak,
                    "window_start": start,
                    "window_sequence": window,
                    "window_acts": acts.astype("float32"),
                    "has_concept": [True, False, None][int(rng.integers(3))],
                }
            )
    return pd.DataFrame(rows).astype({"has_concept": "boolean"})
