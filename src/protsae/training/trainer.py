"""The one trainer. It knows batches, loss terms and an optimiser, and nothing of architectures."""

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from protsae.activations.sampler import ResidueBatch
from protsae.core.errors import InputError
from protsae.core.progress import track
from protsae.sae.base import SparseAutoencoder, StepOutput, TrainingBatch
from protsae.training.config import TrainerConfig
from protsae.training.data import Ontology, Split
from protsae.training.schedule import rate_factor
from protsae.training.selection import Candidate, CheckpointChoice
from protsae.training.threads import torch_threads
from protsae.training.validation import validate

LOG_COLUMNS = ("step", "epoch", "split", "term", "value")


@dataclass(frozen=True)
class TrainingResult:
    """Outcome of a run; the module that was trained holds the chosen weights."""

    log: pd.DataFrame
    """Columns `LOG_COLUMNS`: means over the epoch (train) and one pass at its end (validation)."""
    summary: dict[str, float | int]
    """Steps, residues seen, the chosen epoch and its validation metrics."""


class Trainer:
    """Trains one autoencoder in place.

    Args:
        sae: the module, its input statistics set.
        config: settings.
        train: training proteins.
        validation: validation proteins, on which the epoch is chosen.
        ontology: axioms; None for unguided architectures.
        select_by: validation term to maximise among epochs whose FVE is within `fve_tolerance` of the best;
            None: best FVE.
    """

    def __init__(
        self,
        sae: SparseAutoencoder,
        config: TrainerConfig,
        train: Split,
        validation: Split,
        *,
        ontology: Ontology | None = None,
        select_by: str | None = None,
    ) -> None:
        self._sae = sae
        self._config = config
        self._train = train
        self._validation = validation
        self._ontology = ontology
        self._select_by = select_by
        self._trainable = [p for p in sae.parameters() if p.requires_grad]
        self._optimiser = torch.optim.Adam(_parameter_groups(sae))
        self._n_steps = config.epochs * train.batches.n_batches
        self._step = 0
        self._n_residues = 0
        self._silent_for = torch.zeros(sae.config.d_sae, dtype=torch.int64)
        self._rows: list[tuple[int, int, str, str, float]] = []

    def fit(self) -> TrainingResult:
        """Train, and leave the chosen epoch's weights in the module.

        Raises:
            InputError: a loss is not finite, or no epoch gave a finite validation figure.
        """
        with torch_threads(self._config.threads):
            return self._fit()

    def _fit(self) -> TrainingResult:
        choice = CheckpointChoice(self._config.fve_tolerance if self._select_by else 0.0)
        for epoch in track(range(self._config.epochs), f"training {self._sae.config_json()['architecture']}"):
            self._train_epoch(epoch)
            self._sae.after_epoch(self._batch(batch) for batch in self._train.batches.epoch(epoch))
            values = validate(self._sae, self._validation, self._ontology)
            self._log(epoch, "validation", values)
            score = values[self._select_by] if self._select_by else values["fve"]
            if choice.wants(values["fve"], score):
                state = {name: tensor.clone() for name, tensor in self._sae.state_dict().items()}
                choice.offer(Candidate(epoch, values["fve"], score, state))
        best = choice.best()
        if best is None:
            raise InputError(
                f"no epoch has a finite validation fve and {self._select_by}: look at the training log"
            )
        self._sae.load_state_dict(best.state)
        log = pd.DataFrame(self._rows, columns=list(LOG_COLUMNS))
        return TrainingResult(log, self._summary(log, best.epoch))

    def _summary(self, log: pd.DataFrame, epoch: int) -> dict[str, float | int]:
        chosen = log[(log["epoch"] == epoch) & (log["split"] == "validation")]
        # What has no value (no concept of that kind, or none with both labels) is left out: JSON has no NaN.
        metrics = {
            f"validation/{term}": float(value)
            for term, value in zip(chosen["term"], chosen["value"], strict=True)
            if math.isfinite(value)
        }
        return {"n_steps": self._step, "n_residues": self._n_residues, "chosen_epoch": epoch, **metrics}

    def _train_epoch(self, epoch: int) -> None:
        sums: dict[str, float] = defaultdict(float)
        n_batches = 0
        for batch in self._train.batches.epoch(epoch):
            for term, value in self.step(batch).items():
                sums[term] += value
            n_batches += 1
        self._log(epoch, "train", {term: total / n_batches for term, total in sums.items()})

    def step(self, residues: ResidueBatch) -> dict[str, float]:
        """Make one optimiser step and return what is logged of it.

        Raises:
            InputError: a loss term is not finite.
        """
        batch = self._batch(residues)
        output = self._sae.step_output(batch)
        losses = {term: float(value.detach()) for term, value in output.losses.items()}
        self._check_finite(losses, residues)
        rate = self._config.learning_rate * rate_factor(self._step, self._n_steps, self._config.warmup_share)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["rate_factor"]
        self._optimiser.zero_grad()
        output.losses["loss/total"].backward()  # type: ignore[no-untyped-call]
        self._sae.project_decoder_gradient()
        norm = torch.nn.utils.clip_grad_norm_(self._trainable, self._config.clip_norm)
        self._optimiser.step()
        self._sae.normalise_decoder()
        self._sae.after_step(batch, output)
        l0 = self._count(output, len(batch.x))
        return losses | {
            "gradient_norm": float(norm),
            "learning_rate": rate,
            "l0": l0,
            "dead_share": float(self._dead().double().mean()),
        }

    def _batch(self, residues: ResidueBatch) -> TrainingBatch:
        if self._train.labels is None:
            return TrainingBatch(residues.x, self._dead())
        labels = self._train.labels
        return TrainingBatch(
            residues.x,
            self._dead(),
            residues.segment,
            labels.labels[residues.proteins],
            labels.labelled[residues.proteins],
            labels.of_residues(residues),
            None if self._ontology is None else self._ontology.axioms,
        )

    def _dead(self) -> Tensor:
        return self._silent_for >= self._config.dead_after_n_tokens

    def _count(self, output: StepOutput, n_residues: int) -> float:
        """Advance the counters of silence, and return the batch's L0."""
        self._silent_for = torch.where(output.fired, 0, self._silent_for + n_residues)
        self._step += 1
        self._n_residues += n_residues
        return float(output.l0)

    def _check_finite(self, losses: dict[str, float], residues: ResidueBatch) -> None:
        bad = [f"{term} is {value}" for term, value in losses.items() if not abs(value) < float("inf")]
        if bad:
            names = ", ".join(self._train.protein_ids[i] for i in residues.proteins.tolist())
            raise InputError(
                f"training stopped at step {self._step}: {', '.join(bad)}. Lower "
                f"training.trainer.learning_rate, or look at the activations of the batch's proteins: {names}"
            )

    def _log(self, epoch: int, split: str, values: dict[str, float]) -> None:
        self._rows.extend((self._step, epoch, split, term, value) for term, value in values.items())


def _parameter_groups(sae: SparseAutoencoder) -> list[dict[str, Any]]:
    """Group the trainable parameters by their multiple of the learning rate."""
    factors = sae.rate_factors()
    groups: dict[float, list[Tensor]] = defaultdict(list)
    for name, parameter in sae.named_parameters():
        if parameter.requires_grad:
            groups[factors.get(name, 1.0)].append(parameter)
    return [{"params": parameters, "rate_factor": factor} for factor, parameters in groups.items()]
