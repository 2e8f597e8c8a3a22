"""Metrics of a training's snapshots on validation proteins, and when each begins to change."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from protsae.activations.reader import ActivationStore
from protsae.core.progress import track
from protsae.dynamics.config import OnsetConfig
from protsae.dynamics.onsets import Onset, find_onset
from protsae.sae.axioms import AxiomIndices
from protsae.sae.checkpoint import SaeCheckpoint, snapshots_of
from protsae.training.config import TrainerConfig
from protsae.training.data import ConceptAxioms
from protsae.training.fit import labelled_split_of, split_of
from protsae.training.task import Knowledge, SizeAndSeed, Source, TrainingTask
from protsae.training.validation import validate, validate_guided

CURVE_COLUMNS = ("method", "seed", "step", "epoch", "metric", "value")
ONSET_COLUMNS = (
    *("method", "seed", "metric", "estimator", "step", "lag_to_fve"),
    *("change", "noise", "evidence", "reason"),
)
REFERENCE = "fve"
"""What lags are counted from: the share of variance explained, 1 minus the reconstruction loss."""


def measure_curves(
    checkpoint: SaeCheckpoint,
    store: ActivationStore,
    proteins: pd.DataFrame,
    trainer: TrainerConfig,
    knowledge: Knowledge | None = None,
) -> pd.DataFrame:
    """Validate every snapshot of a training, on the residues that the trainer validates on.

    Args:
        checkpoint: of the training, with its snapshots in the same folder.
        store: activations.
        proteins: `protein_id`, `split`.
        trainer: the training's settings: how many residues validation draws.
        knowledge: what guides it; None for unguided architectures.

    Returns:
        `CURVE_COLUMNS`, the metrics of `training.validation.validate`.

    Raises:
        InputError: there are no snapshots, or those of another training.
    """
    metadata, config = checkpoint.metadata, checkpoint.config
    source = Source(store, str(metadata["hook_point"]), proteins)
    size = SizeAndSeed(int(config["d_sae"]), int(config.get("k") or 0), int(metadata["seed"]))
    task = TrainingTask(str(config["architecture"]), source, size, trainer, {}, knowledge)
    if knowledge is None:
        split, ontology = split_of(task, "validation"), None
    else:
        split = labelled_split_of(task, "validation", knowledge.tables)
        concepts = knowledge.tables.concepts
        indices = AxiomIndices.from_table(knowledge.axioms, len(concepts))
        ontology = ConceptAxioms.of(indices, concepts["aspect"].tolist())
    measure = validate if knowledge is None else validate_guided
    rows: list[tuple[Any, ...]] = []
    for snapshot in track(snapshots_of(checkpoint), f"Validating snapshots of {checkpoint.name}"):
        about = snapshot.metadata
        values = measure(snapshot.load(), split, ontology)
        run = (checkpoint.name, size.seed, int(about["step"]), int(about["epoch"]))
        rows += [(*run, metric, value) for metric, value in values.items()]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS)).astype({"value": "float64"})


def find_onsets(curves: pd.DataFrame, config: OnsetConfig) -> pd.DataFrame:
    """Find the onset of every curve.

    Args:
        curves: `CURVE_COLUMNS`, of one or several trainings.
        config: what counts as an onset.

    Returns:
        `ONSET_COLUMNS`, two rows per training and metric: `estimator` hinge and acceleration. Where there is
        no onset, `step` is empty and `reason` says why. `lag_to_fve` is in steps, empty where one has none.
    """
    rows: list[tuple[Any, ...]] = []
    for (method, seed), of_training in curves.groupby(["method", "seed"], sort=True):
        onsets = dict(_onsets(of_training, config))
        reference = onsets.get(REFERENCE)
        for metric, onset in onsets.items():
            for estimator in ("hinge", "acceleration"):
                step = getattr(onset, estimator)
                lag = math.nan if reference is None else step - getattr(reference, estimator)
                found = (onset.change, onset.noise, onset.evidence, onset.reason)
                rows.append((method, seed, metric, estimator, step, lag, *found))
    return pd.DataFrame(rows, columns=list(ONSET_COLUMNS))


def _onsets(of_training: pd.DataFrame, config: OnsetConfig) -> Iterator[tuple[str, Onset]]:
    for metric in dict.fromkeys(of_training["metric"]):
        curve = of_training[of_training["metric"] == metric].sort_values("step")
        steps, values = (curve[name].to_numpy(np.float64) for name in ("step", "value"))
        yield metric, find_onset(steps, values, config)
