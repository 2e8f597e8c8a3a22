"""The toy proteins of the trainer's tests, with what judging needs in addition."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from tests.training.conftest import ToyProteins, toy_plan

from protsae.probing.config import EvaluationConfig
from protsae.probing.judge import Known
from protsae.sweeps.config import JudgingConfig, SweepConfig
from protsae.sweeps.members import expand
from protsae.sweeps.plan import SweepData, SweepPlan
from protsae.training.dictionaries import Defaults

JUDGING = JudgingConfig(evaluation=EvaluationConfig(n_resamples=3))


@pytest.fixture(scope="session")
def data() -> SweepData:
    return sweep_data(ToyProteins())


def sweep_data(toy: ToyProteins) -> SweepData:
    """Return what the members of a sweep over 60 toy proteins share."""
    plan = toy_plan(toy, "protsae")
    terms = pd.DataFrame(
        {"term_id": ["GO:1", "GO:2"], "name": "x", "aspect": "BPO", "is_obsolete": False, "alt_ids": ""}
    )
    relations = pd.DataFrame(columns=["child_id", "relation", "parent_id"])
    split = ["train"] * 30 + ["validation"] * 15 + ["test"] * 15
    proteins = plan.source.proteins.assign(cluster_id=plan.source.proteins["protein_id"], split=split)
    lengths = plan.source.store.lengths()
    proteins["sequence"] = [("ACDE" * lengths[p])[: lengths[p]] for p in proteins["protein_id"]]
    proteins = proteins.assign(is_audited=True, nearest_train_identity=np.nan, nearest_train_coverage=np.nan)
    assert plan.knowledge is not None
    tables = plan.knowledge.tables
    concepts = tables.concepts.assign(information_content=1.0, information_content_deepgo=1.0)
    known = Known(proteins, replace(tables, concepts=concepts), terms, relations)
    return SweepData(plan.source.store, known, plan.knowledge.axioms)


def sweep_of(data: SweepData, *members: dict, epochs: int = 3, **changes) -> SweepPlan:
    """Return a sweep of two concepts, d_sae 48."""
    trainer = toy_plan(ToyProteins(), "topk", epochs=epochs).trainer
    given = {"seeds": [0], "hook_points": ["layers.0.resid_post"], "members": members, **changes}
    config = SweepConfig.model_validate(given)
    return SweepPlan(expand(config, Defaults(24, 48, 3, 0, trainer, {}, 2)), data, JUDGING, config.references)
