"""The trainer of every architecture: batches, loss terms and an optimiser."""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from protsae.activations.sampler import ResidueBatch
from protsae.core.devices import autocast, pick_device
from protsae.core.errors import InputError
from protsae.core.progress import track
from protsae.sae.base import SparseAutoencoder, StepOutput, TrainingBatch
from protsae.training.config import TrainerConfig
from protsae.training.data import ConceptAxioms, Split
from protsae.training.files import TrainingFiles
from protsae.training.live import RunningMeans
from protsae.training.optimiser import SaeAdam
from protsae.training.schedule import rate_factor, snapshot_steps
from protsae.training.selection import Candidate, CheckpointChoice, Patience
from protsae.training.stopping import StopRequests
from protsae.training.threads import torch_threads
from protsae.training.validation import validate

LOG_COLUMNS = ("step", "epoch", "split", "term", "value")
Validator = Callable[[SparseAutoencoder, Split, ConceptAxioms | None], dict[str, float]]
_KEY = "training.trainer"
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training; the trained module holds the chosen weights, on the CPU."""

    log: pd.DataFrame
    """Columns `LOG_COLUMNS`: means over the epoch (train) and one pass at its end (validation)."""
    summary: dict[str, float | int]
    """Steps, epochs, residues seen, the chosen epoch and its validation metrics."""


class Trainer:
    """Trains one autoencoder in place. It can be killed at any moment and resumes with the same result.

    Args:
        sae: the module, its input statistics set.
        config: settings.
        train: training proteins.
        validation: validation proteins, on which the epoch is chosen.
        ontology: axioms; None for unguided architectures.
        validator: measures validation proteins at the end of an epoch.
        select_by: validation term to maximise among epochs whose FVE is within `fve_tolerance` of the best;
            None: best FVE.
        seed: of what an architecture draws from torch's own generator while it trains.

    Raises:
        InputError: the device or the arithmetic that the settings ask for is not there.
    """

    def __init__(
        self,
        sae: SparseAutoencoder,
        config: TrainerConfig,
        train: Split,
        validation: Split,
        *,
        ontology: ConceptAxioms | None = None,
        validator: Validator = validate,
        select_by: str | None = None,
        seed: int = 0,
    ) -> None:
        self._device = pick_device(config.device, f"{_KEY}.device")
        self._autocast = autocast(config.dtype, self._device, f"{_KEY}.dtype")
        self._sae = sae.to(self._device)
        self._config = config
        self._train = train
        self._validation = validation
        self._ontology = None if ontology is None else ontology.to(self._device)
        self._validate = validator
        self._select_by = select_by
        self._seed = seed
        self._optimiser = SaeAdam(sae)
        self._choice = CheckpointChoice(config.fve_tolerance if select_by else 0.0)
        self._patience = Patience(config.patience)
        self._n_steps = config.epochs * train.batches.n_batches
        self._snapshot_at = snapshot_steps(config.snapshots, self._n_steps)
        self._step = self._epoch = self._n_batches = self._n_residues = 0
        self._silent_for = torch.zeros(sae.config.d_sae, dtype=torch.int64, device=self._device)
        self._of_epoch, self._recent = RunningMeans(), RunningMeans()
        self._parts: tuple[Any, ...] = (self._choice, self._patience, self._of_epoch, self._recent)
        self._rows: list[tuple[int, int, str, str, float]] = []

    def fit(self, files: TrainingFiles | None = None) -> TrainingResult:
        """Train, from where `files` say that an earlier run stopped, and leave the chosen epoch's weights in
        the module.

        On SIGTERM or Ctrl-C the step is finished and the state saved before the process ends.

        Args:
            files: where state and live metrics lie; None: neither is kept.

        Raises:
            InputError: a loss is not finite, no epoch gave a finite validation figure, or the state is
                damaged.
        """
        gpus = [torch.cuda.current_device()] if self._device.type == "cuda" else []
        with torch_threads(self._config.threads), torch.random.fork_rng(gpus):
            torch.manual_seed(self._seed)
            self._restore(files)
            self._run(files)
        self._sae.to("cpu")
        return self._result()

    def _run(self, files: TrainingFiles | None) -> None:
        title = f"training {self._sae.config_json()['architecture']}"
        with StopRequests() as requests:
            for _ in track(self._steps(files), title, total=self._n_steps - self._step):
                if files and self._step in self._snapshot_at:  # before the state, which counts it
                    files.snapshot(self._sae, self._step, self._epoch)
                stop = self._is_to_stop(requests.received)
                if files and (stop or self._step % self._config.save_every == 0):
                    files.keep(self._state(files))
                if stop:
                    kept = "nothing is kept"
                    if files:
                        kept = f"its state is in {files.state.path}, and the same command resumes from there"
                    where = f"after step {self._step} of {self._n_steps}"
                    _LOGGER.warning("%s: training stopped %s; %s", requests.name, where, kept)
                    break
            else:
                return
        raise SystemExit(1)  # another worker was asked to stop

    def _steps(self, files: TrainingFiles | None) -> Iterator[None]:
        """Make the remaining steps, and end each epoch."""
        while self._epoch < self._config.epochs and not self._patience.is_over:
            for residues in islice(self._train.batches.epoch(self._epoch), self._n_batches, None):
                values = self.step(residues)
                self._n_batches += 1
                self._of_epoch.add(values)
                self._recent.add(values)
                if files and len(self._recent) == self._config.log_every:
                    files.live.write(self._step, self._epoch, "train", self._recent.take())
                yield
            self._end_epoch(files)

    def _end_epoch(self, files: TrainingFiles | None) -> None:
        epoch = self._epoch
        self._log("train", self._of_epoch.take())
        self._sae.after_epoch(self._batch(batch) for batch in self._train.batches.epoch(epoch))
        values = self._validate(self._sae, self._validation, self._ontology)
        self._log("validation", values)
        if files:
            files.live.write(self._step, epoch, "validation", values)
        fve, score = self._figures(values)
        if self._choice.wants(fve, score):
            state = {name: t.detach().to("cpu", copy=True) for name, t in self._sae.state_dict().items()}
            self._choice.offer(Candidate(epoch, fve, score, state))
        self._patience.look(score)
        self._epoch, self._n_batches = epoch + 1, 0

    def _figures(self, values: dict[str, float]) -> tuple[float, float]:
        """Return the FVE of an epoch and the score, by which it is chosen."""
        if self._sae.settles and math.isfinite(values["fve"]):
            return self._epoch, self._epoch  # FVE falls as codes grow sparser: the last epoch is best
        return values["fve"], values[self._select_by] if self._select_by else values["fve"]

    def _result(self) -> TrainingResult:
        best = self._choice.best()
        if best is None:
            raise InputError(
                f"no epoch has a finite validation fve and {self._select_by}: check the training log"
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
        about = {"n_steps": self._step, "n_epochs": self._epoch, "n_residues": self._n_residues}
        return {**about, "chosen_epoch": epoch, **metrics}

    def step(self, residues: ResidueBatch) -> dict[str, float]:
        """Make one optimiser step and return what is logged of it.

        Raises:
            InputError: a loss term is not finite.
        """
        batch, output = self._forward(residues)
        losses = self._logged(output)
        self._check_finite(losses, residues)
        rate = self._config.learning_rate * rate_factor(self._step, self._n_steps, self._config.warmup_share)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["rate_factor"]
        self._optimiser.zero_grad()
        output.losses["loss/total"].backward()  # type: ignore[no-untyped-call]
        norm = self._optimiser.finish_step(self._config.clip_norm)
        self._sae.after_step(batch, output)
        l0 = self._count(output, len(batch.x))
        return losses | {
            "gradient_norm": norm,
            "learning_rate": rate,
            "l0": l0,
            "dead_share": float(self._dead().double().mean()),
        }

    def _forward(self, residues: ResidueBatch) -> tuple[TrainingBatch, StepOutput]:
        batch = self._batch(residues)
        with self._autocast:
            return batch, self._in_float32(self._sae.step_output(batch))

    def _in_float32(self, output: StepOutput) -> StepOutput:
        """Undo autocast of logits, from which `after_step` computes thresholds."""
        if output.logits is None or output.logits.dtype != torch.bfloat16:
            return output
        return replace(output, logits=output.logits.float())

    def _logged(self, output: StepOutput) -> dict[str, float]:
        return {term: float(value.detach()) for term, value in output.losses.items()}

    def _is_to_stop(self, received: int | None) -> bool:
        return received is not None

    def _batch(self, residues: ResidueBatch) -> TrainingBatch:
        x, labels = residues.x.to(self._device), self._train.labels
        if labels is None:
            return TrainingBatch(x, self._dead(), progress=self._step / self._n_steps)
        of_residues, means = labels.of_residues(residues), self._train.means
        evidence = labels.evidence_of(residues)
        return TrainingBatch(
            x,
            self._dead(),
            residues.segment.to(self._device),
            labels.labels[residues.proteins].to(self._device),
            labels.labelled[residues.proteins].to(self._device),
            None if of_residues is None else of_residues.to(self._device),
            None if means is None else means[residues.proteins].to(self._device),
            None if evidence is None else evidence.to(self._device),
            None if self._ontology is None else self._ontology.axioms,
            progress=self._step / self._n_steps,
        )

    def _dead(self) -> Tensor:
        return self._silent_for >= self._config.dead_after_n_tokens

    def _count(self, output: StepOutput, n_residues: int) -> float:
        """Update the counters of silent residues, and return the batch's L0."""
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
                f"training.trainer.learning_rate, or check the activations of the batch's proteins: {names}"
            )

    def _log(self, split: str, values: dict[str, float]) -> None:
        self._rows.extend((self._step, self._epoch, split, term, value) for term, value in values.items())

    def _state(self, files: TrainingFiles) -> dict[str, Any]:
        """Return all that the next step depends on. The learning rate is a function of the step."""
        on_gpu = self._device.type == "cuda"
        return {
            "step": self._step,
            "epoch": self._epoch,
            "n_batches": self._n_batches,
            "n_residues": self._n_residues,
            "module": self._sae.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "silent_for": self._silent_for,
            "parts": [part.state() for part in self._parts],
            "rows": self._rows,
            "n_live_lines": files.live.n_lines,
            "random": torch.get_rng_state(),
            "random_gpu": torch.cuda.get_rng_state() if on_gpu else None,
        }

    def _restore(self, files: TrainingFiles | None) -> None:
        """Resume from the saved state, if there is one."""
        state = None if files is None else files.resume(self._snapshot_at)
        if files:
            files.live.go_on(0 if state is None else state["n_live_lines"])
        if state is None:
            return
        _LOGGER.info("resuming after step %d of %d", state["step"], self._n_steps)
        self._step, self._epoch, self._n_batches = state["step"], state["epoch"], state["n_batches"]
        self._n_residues, self._rows = state["n_residues"], [tuple(row) for row in state["rows"]]
        self._sae.load_state_dict(state["module"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._silent_for = state["silent_for"].to(self._device)
        for part, saved in zip(self._parts, state["parts"], strict=True):
            part.load_state(saved)
        torch.set_rng_state(state["random"])
        if state["random_gpu"] is not None:
            torch.cuda.set_rng_state(state["random_gpu"])
