"""The methods of one run, each as three tables: pairs, probes on few latents, rows of the metrics table."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch

from protsae.activations.reader import ActivationStore
from protsae.encoding.batches import ProteinSource
from protsae.encoding.codes import CodeStore
from protsae.interpretation.align import (
    IDENTITY,
    K_SPARSE_COLUMNS,
    Alignment,
    AlignmentTask,
    align,
    align_identity,
    alignment_table,
)
from protsae.interpretation.baselines import (
    Description,
    of_autoencoder,
    of_neurons,
    of_random_directions,
    of_windows,
)
from protsae.interpretation.config import BaselineConfig, ChoiceConfig
from protsae.interpretation.dictionary import pooled_latents
from protsae.interpretation.random_model import extract_into, train_dictionary
from protsae.interpretation.sources import FreshCodes, LettersOnly
from protsae.interpretation.summary import metrics_of
from protsae.metrics.table import concat_metrics, stack_tables
from protsae.plm.checkpoint import load_plm
from protsae.probing.random_plm import random_model

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
_Method = tuple[dict[str, Any], str, Alignment]
"""What goes into its rows, how it saw labels, and what it gives."""


def align_trained(codes: CodeStore, encoding: pd.DataFrame, task: AlignmentTask) -> Tables:
    """Align a trained dictionary.

    Args:
        codes: its codes of residues.
        encoding: its latents pooled over the residues of each protein.
        task: what is aligned, and how.
    """
    dictionary = codes.dictionary
    dictionary.require_concepts(task.proteins.concepts)
    lengths = task.proteins.lengths([*task.proteins.ids["validation"], *task.proteins.ids["test"]])
    codes.require_whole(lengths)
    pooled = pooled_latents(encoding, task.proteins.ids, task.config.pooling)
    supervision = "training" if dictionary.n_defined else "selection"
    return _tables([(codes.run.labels, supervision, align(codes, pooled, task))], task.config)


def align_untrained(
    task: AlignmentTask, store: ActivationStore, hook_point: str, config: BaselineConfig, plm: Path
) -> Tables:
    """Align everything that no autoencoder was trained for.

    `neurons` and `random_directions` read activations, and so do, if asked for, `random_plm_neurons` and
    `random_plm_<architecture>` (the one exception: it is trained, on a randomly initialised language model).
    `residue_windows` and `residue_identity` read the sequence alone. All choose latents as dictionaries do;
    residue identity also ranks amino acids on training residues. Windows are judged on concepts of residues
    only: pooled over a protein, they are its composition.
    """
    mean = _mean(store, hook_point, task)
    at_hook_point = {"hook_point": hook_point, "seed": config.seed}
    directions = of_random_directions(mean, config.n_directions, config.k, config.seed)
    found = [
        _align_fresh(of_neurons("neurons", mean), store, task, {"hook_point": hook_point}),
        _align_fresh(directions, store, task, {**at_hook_point, "k": config.k}),
    ]
    if config.random_plm:
        with TemporaryDirectory(prefix="protsae-random-plm-") as folder:
            found += _random_model(task, hook_point, config, plm, Path(folder) / "activations")
    if len(task.proteins.of_residues):
        source = LettersOnly(task.proteins)
        found.append(_align_fresh(of_windows(config.flank), source, replace(task, proteins_too=False), {}))
    found.append(({"method": IDENTITY}, "probe", align_identity(task)))
    return _tables(found, task.config)


def _random_model(
    task: AlignmentTask, hook_point: str, config: BaselineConfig, plm: Path, folder: Path
) -> list[_Method]:
    """Align the neurons of a language model with random weights, and a dictionary trained on them."""
    model = random_model(load_plm(plm), config.seed)
    store = extract_into(folder, model, hook_point, task.proteins.sequences())
    neurons = of_neurons("random_plm_neurons", _mean(store, hook_point, task))
    split_of = [(name, split) for split, names in task.proteins.ids.items() for name in names]
    proteins = pd.DataFrame(split_of, columns=["protein_id", "split"])
    sae = train_dictionary(store, hook_point, proteins, config)
    trained = of_autoencoder(f"random_plm_{config.architecture}", sae)
    about = {"hook_point": hook_point, "seed": config.seed}
    return [
        _align_fresh(neurons, store, task, about),
        _align_fresh(trained, store, task, {**about, "k": config.k}),
    ]


def _align_fresh(
    dictionary: Description, source: ProteinSource, task: AlignmentTask, about: dict[str, Any]
) -> _Method:
    hook_point, size = about.get("hook_point", ""), task.config.residues_per_batch
    codes = FreshCodes(source, hook_point, dictionary, task.proteins, size)
    needed = task.proteins_too and len(task.proteins.of_proteins)
    pooled = codes.pooled(task.config.pooling) if needed else {}
    return {"method": dictionary.name, **about}, "selection", align(codes, pooled, task)


def _mean(store: ActivationStore, hook_point: str, task: AlignmentTask) -> torch.Tensor:
    training = store.statistics(hook_point, task.proteins.ids["train"])
    return torch.as_tensor(training.mean, dtype=torch.float32)


def _tables(found: Iterable[_Method], config: ChoiceConfig) -> Tables:
    pairs, probes, metrics = [], [], []
    for about, supervision, aligned in found:
        pairs.append(alignment_table(about["method"], supervision, aligned))
        probes.append(aligned.k_sparse.assign(method=about["method"])[list(K_SPARSE_COLUMNS)])
        metrics.append(metrics_of(aligned, config, about, supervision))
    return stack_tables(pairs), stack_tables(probes), concat_metrics(metrics)
