"""A made-up run in the columns of docs/architecture.md, of any size, for tests and figures of the
explorer."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.letters import AMINO_ACIDS
from protsae.encoding.codes import CodedDictionary, CodeStore, CodeWriter
from protsae.encoding.run import Run
from protsae.explorer.tables import DictionaryTables, ExplorerTables
from protsae.metrics.association import ResidueCodes
from protsae.metrics.table import concat_metrics, metric_rows
from protsae.ontology.obo import Ontology
from protsae.reporting.dictionaries import Dictionaries
from protsae.sae.checkpoint import SaeCheckpoint, save_sae

D_MODEL = 8
N_WINDOWS = 20
FLANK = 10
_SPLITS = ("train", "validation", "test")


def made_up_run(
    folder: Path,
    *,
    n_proteins: int = 40,
    n_latents: int = 70,
    n_concepts: int = 40,
    mean_length: int = 60,
    per_residue: int = 6,
    names: tuple[str, ...] = ("protsae", "topk"),
    mark: str = "",
    seed: int = 0,
) -> ExplorerTables:
    """Return the tables of a run that never was.

    Args:
        folder: for codes and checkpoints.
        n_proteins: of which six in ten are training proteins; codes are stored of the others and of a sample.
        n_latents: of every dictionary.
        n_concepts: the first is above all others.
        mean_length: residues of a protein.
        per_residue: active latents.
        names: dictionaries; `protsae` is one with defined latents and a predictor.
        mark: put into every text that comes from a user's file.
        seed: of everything random.
    """
    rng = np.random.default_rng(seed)
    proteins = _proteins(rng, n_proteins, mean_length, mark)
    concepts = _concepts(n_concepts, mark)
    architectures = {name: "protsae" if name == "protsae" else "topk" for name in names}
    named = Dictionaries(architectures, names[0], names[1] if len(names) > 1 else None)
    labels = pd.DataFrame(
        {
            "protein_id": np.repeat(proteins["protein_id"].to_numpy(), 3),
            "concept_idx": rng.integers(0, n_concepts, 3 * n_proteins).astype("int32"),
        }
    ).drop_duplicates(ignore_index=True)
    ids = concepts["concept_id"].to_numpy(object)
    stated = pd.DataFrame(
        {
            "protein_id": labels["protein_id"],
            "concept_id": ids[labels["concept_idx"]],
            "is_direct": np.arange(len(labels)) % 2 == 0,
        }
    )
    labelled = proteins[["protein_id"]].merge(concepts[["aspect"]].drop_duplicates(), how="cross")
    labelled = labelled[labelled["protein_id"] != proteins["protein_id"].iloc[1]]
    spans = pd.DataFrame(
        {
            "protein_id": proteins["protein_id"],
            "concept_idx": np.int32(n_concepts - 1),
            "instance": 0,
            "start": 2,
            "end": 6,
        }
    )
    of = {
        name: _dictionary(rng, folder / name, name, proteins, concepts, n_latents, per_residue, mark)
        for name in names
    }
    return ExplorerTables(
        named,
        of,
        proteins,
        concepts,
        labels,
        labelled,
        spans,
        stated,
        _ontology(concepts),
        _metrics(names),
        concat_metrics(
            [
                metric_rows(
                    {"auc": 0.1},
                    method=f"{names[0]}_latent - linear_probe",
                    aspect="mean",
                    split="test",
                    intervals={"auc": (0.05, 0.15)},
                )
            ]
        ),
        pd.DataFrame(
            {
                "method": names[0],
                "kind": "free",
                "log10_low": [np.nan, -4.0, -3.0],
                "log10_high": [np.nan, -3.0, -2.0],
                "n_latents": [1, 5, n_latents - 6],
                "share": 0.1,
            }
        ),
        _concept_metrics(rng, concepts, names),
        _alignment(rng, concepts, names, n_latents, mark),
        data_sources={"sequences": {"file": f"proteins{mark}.fasta", "sha256": "0" * 64}},
    )


def _proteins(rng: np.random.Generator, n: int, mean_length: int, mark: str) -> pd.DataFrame:
    lengths = np.maximum(30, rng.poisson(mean_length, n)).astype("int32")
    letters = np.array(list(AMINO_ACIDS))
    return pd.DataFrame(
        {
            "protein_id": [f"P{row:05d}{mark}" for row in range(n)],
            "sequence": ["".join(letters[rng.integers(0, 20, length)]) for length in lengths],
            "length": lengths,
            "description": [f"Zinc kinase {row}{mark}" for row in range(n)],
            "aliases": [f"ALIAS{row}{mark}" if row % 7 == 0 else "" for row in range(n)],
            "cluster_id": [str(row) for row in range(n)],
            "split": [_SPLITS[(0, 0, 0, 1, 2)[row % 5]] for row in range(n)],
            "nearest_train_id": [f"P{0:05d}{mark}" if row % 3 else "" for row in range(n)],
            "nearest_train_identity": np.where(np.arange(n) % 3, 0.25, np.nan),
        }
    )


def _concepts(n: int, mark: str) -> pd.DataFrame:
    aspects = [("BPO", "MFO", "CCO")[row % 3] for row in range(n - 1)]
    return pd.DataFrame(
        {
            "concept_idx": np.arange(n, dtype="int32"),
            "concept_id": [*(f"GO:{row:07d}" for row in range(n - 1)), "motif:made_up"],
            "name": [f"zinc ion binding {row}{mark}" for row in range(n)],
            "aspect": [*aspects, f"motif{mark}"],
            "level": ["protein"] * (n - 1) + ["residue"],
            "n_train": 50,
            "n_test": 12,
            "prevalence_train": 0.123456,
            "definition": [f"Definition {row}{mark}" for row in range(n)],
        }
    )


def _ontology(concepts: pd.DataFrame) -> Ontology:
    terms = concepts[concepts["level"] == "protein"]
    first = terms.groupby("aspect")["concept_id"].first()
    children = terms[~terms["concept_id"].isin(first)]
    return Ontology(
        terms=pd.DataFrame(
            {
                "term_id": terms["concept_id"],
                "name": terms["name"],
                "aspect": terms["aspect"],
                "definition": terms["definition"],
                "is_obsolete": False,
                "alt_ids": "",
                "replaced_by": "",
            }
        ),
        relations=pd.DataFrame(
            {
                "child_id": children["concept_id"],
                "relation": "is_a",
                "parent_id": children["aspect"].map(first),
            }
        ).reset_index(drop=True),
    )


def _metrics(names: tuple[str, ...]) -> pd.DataFrame:
    common: dict[str, Any] = {"split": "test", "seed": 0, "hook_point": "layers.0.resid_post"}
    rows = [
        metric_rows(
            {"auc": value},
            method=method,
            aspect="mean",
            supervision=supervision,
            intervals={"auc": (value - 0.1, value + 0.1)},
            **common,
        )
        for method, value, supervision in (
            *((f"{name}_latent", 0.7, "training") for name in names),
            ("linear_probe", 0.75, "probe"),
            ("shuffled_labels", 0.5, "none"),
        )
    ]
    rows += [
        metric_rows({"fve": 0.81234567, "l0": 32.0}, method=name, aspect="all", **common) for name in names
    ]
    return concat_metrics(rows)


def _concept_metrics(
    rng: np.random.Generator, concepts: pd.DataFrame, names: tuple[str, ...]
) -> pd.DataFrame:
    columns = ["concept_idx", "concept_id", "name", "aspect"]
    methods = [*(f"{name}_latent" for name in names), "linear_probe", "shuffled_labels"]
    tables = [
        concepts[columns].assign(
            method=method,
            split="test",
            pooling="mean" if method.endswith("latent") else None,
            n_positive=12,
            auc=rng.uniform(0.4, 1, len(concepts)),
            average_precision=rng.uniform(0, 1, len(concepts)),
            n_resamples_left_out=0,
        )
        for method in methods
    ]
    return pd.concat(tables, ignore_index=True)


def _alignment(
    rng: np.random.Generator, concepts: pd.DataFrame, names: tuple[str, ...], n_latents: int, mark: str
) -> pd.DataFrame:
    tables = []
    for name in names:
        for rank in (1, 2, 3):
            f1 = rng.uniform(0.1, 0.9, len(concepts))
            tables.append(
                pd.DataFrame(
                    {
                        "method": name,
                        "supervision": "selection",
                        "level": concepts["level"],
                        "aspect": concepts["aspect"],
                        "concept_id": concepts["concept_id"],
                        "name": concepts["name"],
                        "represented_by": concepts["concept_id"],
                        "rank": rank,
                        "latent": rng.integers(0, n_latents, len(concepts)),
                        "threshold": 0.1,
                        "f1_validation": f1,
                        "f1_test": f1,
                        "low": f1 - 0.05,
                        "high": f1 + 0.05,
                        "precision_test": f1,
                        "recall_test": f1,
                        "f1_always_on": 0.2,
                        "f1_identity": 0.15,
                        "is_found": f1 > 0.5,
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def _codes(
    rng: np.random.Generator,
    folder: Path,
    name: str,
    proteins: pd.DataFrame,
    n_latents: int,
    per_residue: int,
) -> tuple[CodeStore, NDArray[np.float64]]:
    """Write codes of all held-out proteins and every tenth training protein: latents that stay on for some
    residues. Return them, and the largest code of each latent."""
    folder.mkdir(parents=True)
    largest = np.zeros(n_latents)
    is_training = proteins["split"] == "train"
    kept = proteins[~is_training | (np.arange(len(proteins)) % 10 == 0)]
    about = CodedDictionary(Run(name, 0, "layers.0.resid_post", per_residue), D_MODEL, n_latents, ())
    with CodeWriter(folder, about) as writer:
        for protein_id, split, length in zip(kept["protein_id"], kept["split"], kept["length"], strict=True):
            row = np.repeat(np.arange(length), per_residue)
            block = np.repeat(np.arange(length) // 5, per_residue)
            drawn = rng.integers(0, n_latents, (length // 5 + 1, per_residue))
            latents = drawn[block, np.tile(np.arange(per_residue), length)]
            pairs = np.unique(row * n_latents + latents)
            row, latents = np.divmod(pairs, n_latents)
            values = rng.gamma(2, 1, len(pairs)).astype(np.float32)
            np.maximum.at(largest, latents, values)
            indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=length))])
            codes = ResidueCodes(indptr, latents.astype(np.int32), values)
            writer.add([protein_id], split, [length], [length], np.arange(length), codes)
        return writer.close(), largest


def _checkpoint(folder: Path, name: str, n_latents: int, k: int, mark: str) -> SaeCheckpoint:
    import torch

    from protsae.sae.config import parse_config
    from protsae.sae.registry import build

    config = parse_config({"architecture": "topk", "d_model": D_MODEL, "d_sae": n_latents, "k": k})
    sae = build(config, torch.Generator().manual_seed(0))
    about = {
        "name": name,
        "model": f"esm2_made_up{mark}",
        "model_sha256": "1" * 64,
        "hook_point": "layers.0.resid_post",
        "seed": 0,
    }
    save_sae(sae, folder / "sae.safetensors", about)
    return SaeCheckpoint(folder / "sae.safetensors")


def _dictionary(
    rng: np.random.Generator,
    folder: Path,
    name: str,
    proteins: pd.DataFrame,
    concepts: pd.DataFrame,
    n_latents: int,
    per_residue: int,
    mark: str,
) -> DictionaryTables:
    folder.mkdir(parents=True)
    codes, largest = _codes(rng, folder / "codes", name, proteins, n_latents, per_residue)
    n_defined = len(concepts) if name == "protsae" else 0
    latents = _latents(rng, name, concepts, n_latents, n_defined, largest, mark)
    n = len(proteins)
    windows = _windows(rng, proteins, n_latents, mark)
    return DictionaryTables(
        sae_checkpoint=_checkpoint(folder, name, n_latents, per_residue, mark),
        latents=latents,
        latent_concepts=_latent_concepts(rng, name, concepts, n_latents),
        latent_examples=windows.drop(columns=["quantile"]),
        training_log=pd.DataFrame(
            {
                "step": np.arange(1000),
                "epoch": 0,
                "split": "train",
                "term": "fve",
                "value": np.linspace(0, 0.9, 1000),
            }
        ),
        residue_codes=codes,
        encoding=pd.DataFrame(
            {
                "protein_id": proteins["protein_id"],
                "protein_logits": list(rng.normal(0, 3, (n, len(concepts))).astype(np.float32)),
                "mean_latents": list(rng.gamma(2, 1, (n, n_latents)).astype(np.float32)),
            }
        ),
        monosemanticity=pd.DataFrame(
            {
                "method": name,
                "latent": np.arange(n_latents),
                "kind": "free",
                "judge": "windows",
                "aspect": "",
                "is_judged": True,
                "score": 0.25,
                "low": 0.1,
                "high": 0.4,
            }
        ),
        latent_cards=_cards(rng, latents, mark),
        latent_windows=windows,
        latent_enrichment=_enrichment(rng, concepts, n_latents),
        explanations=pd.DataFrame(
            {
                "method": name,
                "latent": np.arange(n_latents),
                "author": "rules",
                "is_generated": False,
                "sentence": [f"Fires on zinc fingers of kind {row}{mark}." for row in range(n_latents)],
                "confidence": "high",
                "concept_id": concepts["concept_id"].iloc[0],
                "detection": 0.9,
                "detection_floor": 0.5,
                "n_scored": 40,
            }
        ),
        missing_annotations=pd.DataFrame(
            {
                "method": name,
                "protein_id": proteins["protein_id"].to_numpy()[: min(n, 60)],
                "concept_id": concepts["concept_id"].iloc[0],
                "name": concepts["name"].iloc[0],
                "probability": np.linspace(1, 0.5, min(n, 60)),
                "nearest_annotated_id": proteins["protein_id"].iloc[0],
                "nearest_annotated_by": "sequence",
                "nearest_similarity": 0.41,
            }
        ),
        concept_scorers=_scorers(concepts) if n_defined else None,
    )


def _latents(
    rng: np.random.Generator,
    name: str,
    concepts: pd.DataFrame,
    n_latents: int,
    n_defined: int,
    largest: NDArray[np.float64],
    mark: str,
) -> pd.DataFrame:
    row = np.arange(n_latents)
    defined = row < n_defined
    best = rng.integers(0, len(concepts), n_latents)
    ids, names = (concepts[c].to_numpy(object) for c in ("concept_id", "name"))
    own = np.minimum(row, len(concepts) - 1)
    return pd.DataFrame(
        {
            "method": name,
            "latent": row.astype("int32"),
            "kind": np.where(defined, "defined", "free"),
            "concept_id": np.where(defined, ids[own], ""),
            "name": np.where(defined, names[own], ""),
            "density": rng.uniform(1e-5, 0.3, n_latents),
            "max_act": largest,
            "best_concept_id": ids[best],
            "best_concept_name": names[best],
            "best_threshold": 0.1,
            "f1_validation": rng.uniform(0, 1, n_latents),
            "f1_test": rng.uniform(0, 1, n_latents),
            "f1_test_always_on": 0.2,
            "top_residues": f"C 2.1, H 1.9{mark}",
        }
    )


def _latent_concepts(
    rng: np.random.Generator, name: str, concepts: pd.DataFrame, n_latents: int
) -> pd.DataFrame:
    latent = np.repeat(np.arange(n_latents), 3)
    concept = rng.integers(0, len(concepts), len(latent))
    return pd.DataFrame(
        {
            "method": name,
            "latent": latent,
            "rank": np.tile([1, 2, 3], n_latents),
            "concept_id": concepts["concept_id"].to_numpy(object)[concept],
            "name": concepts["name"].to_numpy(object)[concept],
            "threshold": 0.1,
            "f1_validation": 0.61234,
            "f1_test": 0.51234,
            "precision_test": 0.4,
            "recall_test": 0.7,
        }
    )


def _windows(rng: np.random.Generator, proteins: pd.DataFrame, n_latents: int, mark: str) -> pd.DataFrame:
    n, width = n_latents * N_WINDOWS, 2 * FLANK + 1
    row = rng.integers(0, len(proteins), n)
    acts = np.where(rng.random((n, width)) < 0.5, 0, rng.gamma(2, 1, (n, width))).astype(np.float32)
    sequences = proteins["sequence"].to_numpy(object)[row]
    return pd.DataFrame(
        {
            "method": "",
            "latent": np.repeat(np.arange(n_latents), N_WINDOWS),
            "quantile": np.tile(np.arange(N_WINDOWS) // 2 / 9, n_latents),
            "rank": np.tile(np.arange(N_WINDOWS) + 1, n_latents),
            "protein_id": proteins["protein_id"].to_numpy(object)[row],
            "split": proteins["split"].to_numpy(object)[row],
            "description": f"description{mark}",
            "max_act": acts.max(axis=1),
            "peak_index": 12,
            "window_start": 2,
            "window_sequence": [sequence[2 : 2 + width] for sequence in sequences],
            "window_acts": list(acts),
            "has_concept": pd.array(rng.random(n) < 0.5, dtype="boolean"),
        }
    )


def _cards(rng: np.random.Generator, latents: pd.DataFrame, mark: str) -> pd.DataFrame:
    n = len(latents)
    logos = rng.gamma(0.2, 0.2, (n, 2 * FLANK + 1, 20)).round(4)
    return latents.assign(
        shape=[("point", "short", "whole")[row % 3] for row in range(n)],
        position_profile=list(rng.dirichlet(np.ones(10), n)),
        logo=[logo.tolist() for logo in logos],
        consensus=[f"xxC{AMINO_ACIDS[row % 20]}xxCx{mark}" if row % 2 else "xxxx" for row in range(n)],
        family=np.arange(n) // 8,
        family_parent=-1,
        topic=np.arange(n) % 12,
        x=rng.normal(0, 10, n),
        y=rng.normal(0, 10, n),
        neighbours=list(rng.integers(0, n, (n, 5))),
        neighbour_cosines=list(rng.uniform(0, 1, (n, 5))),
        promotes="S:+0.04 C:+0.04",
        suppresses="Q:-0.03 E:-0.02",
        output_change=list(rng.normal(0, 0.1, (n, 20))),
        input_profile=list(rng.dirichlet(np.ones(20), n)),
        residue_f1_test=np.nan,
    )


def _enrichment(rng: np.random.Generator, concepts: pd.DataFrame, n_latents: int) -> pd.DataFrame:
    latent = np.repeat(np.arange(n_latents), 12)
    of = rng.integers(0, len(concepts), len(latent))
    return pd.DataFrame(
        {
            "latent": latent,
            "concept_id": concepts["concept_id"].to_numpy(object)[of],
            "name": concepts["name"].to_numpy(object)[of],
            "aspect": concepts["aspect"].to_numpy(object)[of],
            "n_hits": 15,
            "expected": 5.471,
            "fold": rng.uniform(1, 9, len(latent)),
            "q_value": rng.uniform(0, 0.05, len(latent)),
        }
    )


def _scorers(concepts: pd.DataFrame) -> pd.DataFrame:
    found = concepts[concepts["level"] == "protein"]
    return pd.DataFrame(
        {
            "concept_idx": found["concept_idx"],
            "concept_id": found["concept_id"],
            "score": "predictor",
            "latent": -1,
            "sign": 1.0,
            "pooling": "",
            "centre": -1.0,
            "scale": 2.0,
            "slope": 1.5,
            "intercept": -0.5,
            "threshold": 0.3,
            "auc_test": 0.7,
            "auc_low": 0.6,
            "auc_high": 0.8,
            "aupr_test": 0.4,
            "f1_test": 0.5,
            "prevalence": 0.1,
            "n_test": 100,
        }
    )
