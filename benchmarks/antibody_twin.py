"""Train the twin of the antibodies' language model: it judges whether designs are natural.

    python benchmarks/antibody_twin.py [--env antibody] [--output twin.safetensors]

The committed model learnt from the clonotypes of split `train` of the whole table. The twin learns, with the
same settings, from clonotypes of the other splits alone: of these, 70 % train it, 5 % choose its weights, and
25 % are kept from it (split `test` of the salt below), so that there are sequences which neither model saw.
Steering starts from those. The last line is one JSON object: how many sequences, and the perplexity of both
models on the sequences that were kept.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from antibody import AntibodyRun, whole_proteins
from helpers.provenance import ROOT, provenance
from protsae.core.splits import HELD_OUT
from protsae.pipelines.pretraining.nodes import judge_plm
from protsae.pretraining.checkpoint import PretrainedPlm, read_plm_header
from protsae.pretraining.config import PerplexityConfig, PretrainerConfig, ShapeConfig
from protsae.pretraining.plan import plan_pretraining
from protsae.sequences.split import SplitFractions, split_of_cluster

SALT = "twin"
STEPS = 800  # half the sequences: as many epochs as the first model
FRACTIONS = SplitFractions(train=0.7, validation=0.05, test=0.25)
TWIN = ROOT / "data" / "01_raw" / "antibody" / "esm2_antibody_twin.safetensors"


def twin_split(cluster_ids: pd.Series) -> pd.Series:
    """Return how the twin treats clonotypes that the first model did not see: `train`, `validation`,
    `test`."""
    return cluster_ids.map(lambda name: split_of_cluster(name, SALT, FRACTIONS))


def twin_proteins(run: AntibodyRun) -> pd.DataFrame:
    """Return the sequences of clonotypes that the first model did not see, dealt anew."""
    proteins = whole_proteins(run)
    unseen = proteins[proteins["split"].isin(HELD_OUT)]
    return unseen.assign(split=twin_split(unseen["cluster_id"]))


def main() -> None:
    """Train it, or resume."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="antibody", help="environment of the run")
    parser.add_argument("--output", type=Path, default=TWIN)
    given = parser.parse_args()
    about: dict[str, Any] = dict(provenance())
    run = AntibodyRun(given.env)
    proteins = twin_proteins(run)
    shape: ShapeConfig = run.load("params:pretraining.shape")
    trainer: PretrainerConfig = run.load("params:pretraining.trainer").model_copy(update={"steps": STEPS})
    plan_pretraining(proteins, shape, trainer, seed=1).run(given.output)
    for name, path in {"twin": given.output, "first": Path(run.load("plm_checkpoint"))}.items():
        _, report = judge_plm(PretrainedPlm(path, read_plm_header(path).about), proteins, PerplexityConfig())
        about[name] = report["test"]["perplexity"]
    print(json.dumps({**about, "n_proteins": proteins["split"].value_counts().to_dict()}))


if __name__ == "__main__":
    main()
