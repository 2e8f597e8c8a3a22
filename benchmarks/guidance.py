"""Train ProtSAE under other settings of its guidance and measure each on validation proteins.

Needs the outputs of a finished run of the pipelines up to `extraction` (of `probing` for the linear probe).
Writes one row per setting and seed; settings that have their row already are not trained again.

    python benchmarks/guidance.py --seeds 0 1 2 -- "" "forced_scale=0.5" "architecture=topk k=8"

A setting names fields of `GuidanceConfig` or `TrainerConfig`, `d_sae`, `k`, `aux_coefficient`,
`architecture`; `warm_start=topk` starts the free latents from a TopK autoencoder of the same size and
seed, which is trained first; `architecture=linear_probe` is the probe on mean activations. All other
settings have the values of the run.
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from helpers.finished_run import FinishedRun
from helpers.provenance import ROOT
from protsae.core.files import write_text_atomic
from protsae.core.splits import HELD_OUT, SPLITS
from protsae.encoding.reading import encode
from protsae.encoding.reconstruction import split_rows
from protsae.encoding.run import Run
from protsae.probing.calibration import fit_calibration
from protsae.probing.config import ScoringConfig
from protsae.probing.evaluation import evaluate_method
from protsae.probing.scores import probe_scores, select_latents
from protsae.probing.splits import feature_matrix
from protsae.sae.guidance_config import GuidanceConfig
from protsae.training.config import TrainerConfig
from protsae.training.fit import fit
from protsae.training.plan import Knowledge, SizeAndSeed, TrainingPlan

METRICS = ("auc", "aupr", "fmax")


class GuidanceRun(FinishedRun):
    """A finished run, on which other settings are trained and measured."""

    def __init__(self, project: Path, environment: str, measured: tuple[str, ...]) -> None:
        """Open the run; `measured`: splits whose proteins are encoded."""
        super().__init__(environment, project=project)
        self.measured = measured

    def plan(self, settings: dict[str, Any], seed: int) -> TrainingPlan:
        """Return the training by `settings` and, for the rest, the run's own parameters."""
        given = dict(settings)
        architecture = given.pop("architecture", "protsae")
        size = SizeAndSeed(
            given.pop("d_sae", self.load("params:training.d_sae")),
            given.pop("k", self.load("params:training.k")),
            seed,
        )
        trainer = self.load("params:training.trainer").model_dump()
        trainer |= {name: given.pop(name) for name in list(given) if name in TrainerConfig.model_fields}
        shape = {name: given.pop(name) for name in list(given) if name == "aux_coefficient"}
        if architecture != "protsae":
            return TrainingPlan(architecture, self.source, size, TrainerConfig(**trainer), shape | given)
        donor = given.pop("warm_start", None)
        guidance = self.load("params:training.guidance").model_dump() | given
        shape["guidance"] = GuidanceConfig(**guidance)
        knowledge = Knowledge(self.tables, self.axioms)
        warm_start = None if donor is None else self.trained(donor, size, TrainerConfig(**trainer))
        return TrainingPlan(
            "protsae", self.source, size, TrainerConfig(**trainer), shape, knowledge, warm_start
        )

    def trained(self, architecture: str, size: SizeAndSeed, trainer: TrainerConfig) -> Path:
        """Return the checkpoint of an unguided dictionary, trained where it was not yet."""
        path = Path(tempfile.gettempdir()) / f"protsae-donor-{architecture}-{size.seed}" / "sae.safetensors"
        TrainingPlan(architecture, self.source, size, trainer).run(path)
        return path

    def measure(self, settings: dict[str, Any], seed: int) -> dict[str, Any]:
        """Train, encode and judge; return the columns of a row."""
        if settings.get("architecture") == "linear_probe":
            features = self.load("mean_activations")
            values = {
                split: feature_matrix(features, "activation", of_split.protein_ids)
                for split, of_split in self.splits.items()
            }
            return self.judged("linear_probe", probe_scores(values, self.splits, ScoringConfig()))
        plan = self.plan(settings, seed)
        started = time.monotonic()
        (sae, metadata), _ = fit(plan)
        seconds = time.monotonic() - started
        run = Run(plan.architecture, seed, self.hook_point, plan.size.k)
        needed = self.measured if plan.architecture == "protsae" else SPLITS  # latents are chosen on others
        proteins = self.encoded[self.encoded["split"].isin(needed)]
        encoding = encode(self.store, sae.eval(), run, proteins, self.load("params:encoding"))
        row = {"seconds": seconds, "epoch": metadata["training"]["chosen_epoch"]}
        sums, statistics = encoding.reconstruction_sums, encoding.latent_statistics
        rows = split_rows(sums, statistics, sae.config.d_model, run)
        quality = rows.set_index(["split", "metric"])["value"]
        for split in self.measured:
            for metric in ("fve", "l0", "defined_participation", "gate_rate"):
                if (split, metric) in quality.index:
                    row[f"{split}/{metric}"] = quality[split, metric]
        row |= {
            name.removeprefix("validation/"): value
            for name, value in metadata["training"].items()
            if name.endswith(("subsumption_auc", "axiom_violation", "mean_lift"))
        }
        latents = {
            split: feature_matrix(encoding.proteins, "mean_latents", self.splits[split].protein_ids)
            for split in needed
        }
        if plan.architecture == "protsae":
            logits = {
                split: feature_matrix(encoding.proteins, "protein_logits", self.splits[split].protein_ids)
                for split in self.measured
            }
            for name, scores in (("latent", latents), ("predictor", logits)):
                row |= self.judged(name, {split: v[:, self.columns] for split, v in scores.items()})
            return row
        chosen = select_latents(latents, self.splits, ScoringConfig().selection)
        latents = {split: latents[split] for split in self.measured}
        return row | self.judged("latent", {split: chosen.scores(v) for split, v in latents.items()})

    def judged(self, name: str, scores: dict[str, Any]) -> dict[str, float]:
        """Return AUC, AUPR and Fmax, means over aspects, of scores calibrated on validation."""
        validation = self.splits["validation"]
        calibration = fit_calibration(scores["validation"], validation.labels, validation.labelled)
        row = {}
        for split in self.measured:
            found = evaluate_method(
                scores[split],
                calibration.probabilities(scores[split]),
                self.splits[split],
                self.vocabulary,
                None,
            )
            row |= {f"{split}/{name}/{m}": found[m, "mean"].value for m in METRICS}
        return row


def parse(text: str) -> dict[str, Any]:
    """Return the settings of `name=value name=value`; values are read as YAML."""
    pairs = (item.split("=", 1) for item in text.split())
    return {name: yaml.safe_load(value) for name, value in pairs}


def written(path: Path) -> pd.DataFrame:
    """Return the rows that a file holds."""
    return pd.read_csv(path, keep_default_na=False, na_values=["nan"]) if path.exists() else pd.DataFrame()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--project", type=Path, default=ROOT)
    parser.add_argument("--env", default="local")
    parser.add_argument("--test", action="store_true", help="measure test proteins too")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "results" / "guidance.csv")
    arguments = parser.parse_args()
    splits = HELD_OUT if arguments.test else ("validation",)
    run = GuidanceRun(arguments.project, arguments.env, splits)
    logging.getLogger("protsae").setLevel(logging.WARNING)
    for seed in arguments.seeds:
        for settings in arguments.settings:
            done = written(arguments.output)
            if len(done) and ((done["settings"] == settings) & (done["seed"] == seed)).any():
                continue
            row = {"settings": settings, "seed": seed, **run.measure(parse(settings), seed)}
            table = pd.concat([written(arguments.output), pd.DataFrame([row])], ignore_index=True)
            write_text_atomic(arguments.output, table.to_csv(index=False, float_format="%.5g"))
            shown = {name: round(float(v), 4) for name, v in row.items() if isinstance(v, float)}
            print(settings or "defaults", seed, shown, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
