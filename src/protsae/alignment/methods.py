"""The methods of one run, each as three tables: pairs, probes on few latents, rows of the metrics table."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch

from protsae.activations.reader import ActivationStore
from protsae.alignment.align import (
    IDENTITY,
    K_SPARSE_COLUMNS,
    Alignment,
    Bench,
    Subject,
    align,
    align_identity,
    alignment_table,
    letters_only,
)
from protsae.alignment.config import BaselineConfig, ChoiceConfig, KSparseConfig
from protsae.alignment.dictionaries import Neurons, RandomDirections, Trained, Windows
from protsae.alignment.ground import Ground
from protsae.alignment.summary import metrics_of
from protsae.alignment.untaught import extract_into, untaught_topk
from protsae.annotations.labels import LabelTables
from protsae.metrics.table import concat_metrics
from protsae.plm.checkpoint import load_plm
from protsae.probing.encoding import Run, require_same_concepts
from protsae.probing.random_plm import random_model
from protsae.probing.splits import SPLITS, feature_matrix

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def bench_of(
    proteins: pd.DataFrame,
    tables: LabelTables,
    store: ActivationStore,
    choice: ChoiceConfig,
    k_sparse: KSparseConfig,
) -> Bench:
    """Return what all methods are judged on: the proteins of `store`."""
    return Bench(Ground.of(proteins, tables, store.protein_ids), choice, k_sparse)


def align_trained(checkpoint: Any, store: ActivationStore, encoding: pd.DataFrame, bench: Bench) -> Tables:
    """Align a trained dictionary.

    Args:
        checkpoint: a `SaeCheckpoint`.
        store: activations.
        encoding: its latents pooled over the residues of each protein.
        bench: what it is judged on.
    """
    run, sae = Run.of(checkpoint), checkpoint.load()
    require_same_concepts(sae, bench.ground.concepts)
    column = f"{bench.config.pooling}_latents"
    pooled = {split: feature_matrix(encoding, column, bench.ground.ids[split]) for split in SPLITS}
    supervision = "training" if sae.n_defined else "selection"
    subject = Subject(Trained(run.method, sae), store, run.hook_point)
    about = {"method": run.method, "seed": run.seed, "hook_point": run.hook_point, "k": run.k}
    return _tables([(about, supervision, align(subject, bench, pooled))], bench.config)


def align_untrained(
    bench: Bench, store: ActivationStore, hook_point: str, config: BaselineConfig, plm: Path
) -> Tables:
    """Align everything that no autoencoder was trained for.

    `neurons`, `random_directions` and, if asked for, `random_plm_neurons` and `random_plm_topk` (the one
    exception, whose language model was taught nothing) read activations; `residue_windows`
    and `residue_identity` the sequence alone. All choose latents on validation; residue identity also ranks
    amino acids on training residues. Windows are judged on concepts of residues only: pooled over a protein,
    they are its composition.
    """
    training = store.statistics(hook_point, bench.ground.ids["train"])
    mean = torch.as_tensor(training.mean, dtype=torch.float32)
    at_hook_point = {"hook_point": hook_point, "seed": config.seed}
    directions = RandomDirections.draw(mean, config.n_directions, config.k, config.seed)
    found: list[tuple[dict[str, Any], str, Alignment]] = []
    for dictionary, about in (
        (Neurons("neurons", mean), {"hook_point": hook_point}),
        (directions, {**at_hook_point, "k": config.k}),
    ):
        aligned = align(Subject(dictionary, store, hook_point), bench)
        found.append(({"method": dictionary.name, **about}, "selection", aligned))
    if config.random_plm:
        with TemporaryDirectory(prefix="protsae-untaught-") as folder:
            found += _untaught(bench, hook_point, config, plm, Path(folder) / "activations")
    if len(bench.ground.of_residues):
        windows = Windows(config.flank)
        aligned = align(Subject(windows, letters_only(bench.ground), ""), bench.of_residues_only())
        found.append(({"method": windows.name}, "selection", aligned))
    found.append(({"method": IDENTITY}, "probe", align_identity(bench)))
    return _tables(found, bench.config)


def _untaught(
    bench: Bench, hook_point: str, config: BaselineConfig, plm: Path, folder: Path
) -> list[tuple[dict[str, Any], str, Alignment]]:
    """Align the neurons of a language model with random weights, and a dictionary trained on them."""
    model = random_model(load_plm(plm), config.seed)
    store = extract_into(folder, model, hook_point, bench.ground.sequences())
    mean = torch.as_tensor(store.statistics(hook_point, bench.ground.ids["train"]).mean, dtype=torch.float32)
    split_of = [(name, split) for split, names in bench.ground.ids.items() for name in names]
    proteins = pd.DataFrame(split_of, columns=["protein_id", "split"])
    topk = untaught_topk(store, hook_point, proteins, config)
    about = {"hook_point": hook_point, "seed": config.seed}
    found: list[tuple[dict[str, Any], str, Alignment]] = []
    for dictionary, more in (
        (Neurons("random_plm_neurons", mean), {}),
        (Trained("random_plm_topk", topk), {"k": config.k}),
    ):
        aligned = align(Subject(dictionary, store, hook_point), bench)
        found.append(({"method": dictionary.name, **about, **more}, "selection", aligned))
    return found


def _tables(found: Iterable[tuple[dict[str, Any], str, Alignment]], config: ChoiceConfig) -> Tables:
    pairs, probes, metrics = [], [], []
    for about, supervision, aligned in found:
        pairs.append(alignment_table(about["method"], supervision, aligned))
        probes.append(aligned.k_sparse.assign(method=about["method"])[list(K_SPARSE_COLUMNS)])
        metrics.append(metrics_of(aligned, config, about, supervision))
    return _stacked(pairs), _stacked(probes), concat_metrics(metrics)


def _stacked(tables: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
