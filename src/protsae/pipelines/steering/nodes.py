"""Nodes of the steering pipeline."""

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.pipelines.steering.parameters import SteeringParameters


def steer_proteins(
    raw_steering_sequences: Path,
    steering_dictionary: Path,
    steering_latents: Path,
    steering_relations: Path | None,
    plm_checkpoint: Path,
    steering_judge: Path | None,
    parameters: SteeringParameters,
) -> Any:
    """Plan designs of every protein towards every concept and latent; `SteeringDataset` runs it on saving.

    Args:
        raw_steering_sequences: file of proteins.
        steering_dictionary: checkpoint of the autoencoder.
        steering_latents: its table of latent statistics.
        steering_relations: relations of concepts; None: ancestors are not raised.
        plm_checkpoint: the language model of the dictionary.
        steering_judge: a language model that judges naturalness; None: the same.
        parameters: settings.

    Returns:
        `steering.plan.SteeringPlan`.
    """
    from protsae.prediction.proteins import distinct
    from protsae.sae.checkpoint import SaeCheckpoint
    from protsae.sequences.records import read_sequences
    from protsae.steering.plan import plan_steering
    from protsae.steering.targets import read_largest, read_relations, targets_of

    records = read_sequences(raw_steering_sequences, parameters.sequences)
    proteins = distinct(records, raw_steering_sequences, Counter())
    largest = read_largest(steering_latents)
    relations = None
    if parameters.with_ancestors and steering_relations is not None:
        relations = read_relations(steering_relations)
    concept_ids = SaeCheckpoint(steering_dictionary).concept_ids
    targets = targets_of(parameters.concepts, parameters.latents, concept_ids, largest, relations)
    models = (steering_dictionary, plm_checkpoint)
    return plan_steering(proteins.ids, proteins.sequences, targets, *models, parameters, judge=steering_judge)


def tabulate_designs(
    steering_designs: Any,
    steering_proteins: Path,
    steering_concepts: Path,
    steering_labels: Path,
    steering_labelled: Path,
    steering_relations: Path | None,
) -> pd.DataFrame:
    """Return the table of a `steering.plan.Designs`, with what a judge by k-mers says of them.

    Args:
        steering_designs: the designs.
        steering_proteins: proteins of a finished run, which the judge is trained on.
        steering_concepts: its concepts.
        steering_labels: its labels.
        steering_labelled: which proteins are labelled in which aspect.
        steering_relations: relations of concepts, of which relatives are no off-targets.

    Returns:
        `steering.plan.DESIGN_COLUMNS` and `steering.tabulating.KMER_COLUMNS`.
    """
    from protsae.steering.tabulating import CrossJudge, with_kmer_scores

    files = (steering_proteins, steering_concepts, steering_labels, steering_labelled)
    judge = CrossJudge.fit(*map(pd.read_parquet, files))
    relations = None if steering_relations is None else pd.read_parquet(steering_relations)
    return with_kmer_scores(steering_designs.table, judge, relations)


def judge_structures(
    steering_designs: Any, steering_structures: Path | None, parameters: SteeringParameters
) -> pd.DataFrame:
    """Return what structures say of designs.

    Args:
        steering_designs: a `steering.plan.Designs`.
        steering_structures: folder of structures; None: that of the command, if there is one.
        parameters: settings.
    """
    from protsae.steering.structures import FOLDER_NAME, judge_structures

    own = steering_designs.path / FOLDER_NAME
    folder = steering_structures or (own if parameters.structures.command else None)
    return judge_structures(steering_designs.table, folder, parameters.structures)
