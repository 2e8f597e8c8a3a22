"""The training loop. It resumes after an interruption at any moment, with the same result."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from protsae.core.errors import InputError
from protsae.core.progress import track
from protsae.core.seeding import numpy_generator
from protsae.plm.tokens import Tokenizer
from protsae.pretraining.batches import ProteinBatches
from protsae.pretraining.config import PretrainerConfig, ShapeConfig
from protsae.pretraining.masking import MaskedBatch, masker_of
from protsae.pretraining.model import MaskedForward, build_module
from protsae.training.live import RunningMeans
from protsae.training.schedule import rate_factor
from protsae.training.state import StateFile
from protsae.training.stopping import StopRequests

if TYPE_CHECKING:
    from esm import ESM2

_BETAS = (0.9, 0.98)
Validate = Callable[["ESM2"], dict[str, float]]


@dataclass(frozen=True)
class TrainedWeights:
    """Outcome of a training."""

    weights: dict[str, Tensor]
    """State dict of fair-esm's module at the chosen step, on the CPU."""
    step: int
    """The chosen step: least cross-entropy on the validation proteins."""
    validation: dict[str, float]
    """What `validate` returned there."""
    log: list[tuple[int, str, str, float]]
    """Rows `step`, `split`, `term`, `value`; train: means since the row before."""
    n_residues: int
    """Residues seen in all steps, those left as they are included."""


class Pretrainer:
    """Trains one model on some proteins.

    Args:
        shape: of the model.
        config: settings.
        protein_ids: ids, for messages.
        sequences: their residues.
        validate: gives at least `loss/mlm` of the module on held-out proteins.
        seed: of weights, order, crops and masks.
        device: where to train.
    """

    def __init__(
        self,
        shape: ShapeConfig,
        config: PretrainerConfig,
        protein_ids: Sequence[str],
        sequences: Sequence[str],
        *,
        validate: Validate,
        seed: int,
        device: torch.device,
    ) -> None:
        self._config = config
        self._protein_ids = protein_ids
        self._validate = validate
        self._seed = seed
        self._device = device
        self._module = build_module(shape, seed).to(device)
        self._forward = MaskedForward(self._module)
        self._batches = ProteinBatches(
            sequences, tokens_per_batch=config.tokens_per_batch, max_residues=config.max_residues, seed=seed
        )
        self._tokenizer = Tokenizer(self._module.alphabet)
        self._masker = masker_of(self._module)
        self._optimiser = torch.optim.AdamW(self._groups(), lr=0.0, betas=_BETAS)
        self._step = self._n_residues = 0
        self._means = RunningMeans()
        self._log: list[tuple[int, str, str, float]] = []
        self._best: dict[str, Any] = {}

    def fit(self, state_file: StateFile) -> TrainedWeights:
        """Train, from where `state_file` says that an earlier run stopped.

        On SIGTERM or Ctrl-C the state is saved before the process ends.

        Raises:
            InputError: a loss or a gradient is not finite, or the state file is damaged.
        """
        self._restore(state_file.load())
        config = self._config
        with StopRequests() as requests:
            for _ in track(range(self._step, config.steps), "pretraining"):
                self._train_step()
                done = self._step == config.steps
                if done or self._step % config.validate_every == 0:
                    self._look()
                if requests.received or done or self._step % config.save_every == 0:
                    state_file.save(self._state())
                if requests.received:
                    break
        best = self._best
        return TrainedWeights(best["weights"], best["step"], best["values"], self._log, self._n_residues)

    def batch(self, step: int) -> tuple[list[int], MaskedBatch]:
        """Return the positions of the proteins in the batch of a step, and the masked batch on the CPU."""
        proteins, crops = self._batches.crops(step)
        rng = numpy_generator(self._seed, "pretraining", "masks", step)
        return proteins, self._masker.draw(self._tokenizer.pack(crops), self._config.masking, rng)

    def _train_step(self) -> None:
        config = self._config
        proteins, batch = self.batch(self._step)
        rate = config.learning_rate * rate_factor(self._step, config.steps, config.warmup_share)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        loss = masked_loss(self._forward, batch.to(self._device), config.dtype).mean()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self._module.parameters(), config.clip_norm)
        values = {"loss/mlm": float(loss.detach()), "gradient_norm": float(norm), "learning_rate": rate}
        self._check_finite(values, proteins)
        self._optimiser.step()
        self._step += 1
        self._n_residues += len(batch.tokens) - 2 * len(batch.sizes)
        self._means.add(values)

    def _look(self) -> None:
        """Log the mean of the last steps and what the validation proteins say; keep the best weights."""
        means = self._means.take()
        values = self._validate(self._module)
        if not math.isfinite(values["loss/mlm"]):
            raise InputError(
                f"pretraining stopped at step {self._step}: the validation loss is {values['loss/mlm']}. "
                "Lower pretraining.trainer.learning_rate"
            )
        for split, terms in (("train", means), ("validation", values)):
            self._log.extend((self._step, split, term, value) for term, value in terms.items())
        if not self._best or values["loss/mlm"] < self._best["values"]["loss/mlm"]:
            self._best = {"step": self._step, "values": values, "weights": self._weights()}

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self._module.state_dict().items()}

    def _groups(self) -> list[dict[str, Any]]:
        """Decay matrices; leave biases and norms alone."""
        parameters = list(self._module.parameters())
        return [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": self._config.weight_decay},
            {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
        ]

    def _check_finite(self, values: dict[str, float], proteins: list[int]) -> None:
        bad = [f"{term} is {value}" for term, value in values.items() if not math.isfinite(value)]
        if bad:
            names = ", ".join(self._protein_ids[p] for p in proteins)
            raise InputError(
                f"pretraining stopped at step {self._step}: {', '.join(bad)}. Lower "
                f"pretraining.trainer.learning_rate, or look at the batch's proteins: {names}"
            )

    def _state(self) -> dict[str, Any]:
        return {
            "step": self._step,
            "n_residues": self._n_residues,
            "module": self._module.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "means": self._means.state(),
            "log": self._log,
            "best": self._best,
        }

    def _restore(self, state: dict[str, Any] | None) -> None:
        if state is None:
            return
        self._step, self._n_residues = state["step"], state["n_residues"]
        self._module.load_state_dict(state["module"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._means.load_state(state["means"])
        self._log, self._best = [tuple(row) for row in state["log"]], state["best"]


def masked_loss(forward: MaskedForward, batch: MaskedBatch, dtype: str) -> Tensor:
    """Return the cross-entropy in nats of every masked token, float32 [n_masked]."""
    with torch.autocast(batch.tokens.device.type, torch.bfloat16, enabled=dtype == "bfloat16"):
        logits = forward(batch).float()
    return functional.cross_entropy(logits, batch.targets, reduction="none")
