"""The trainer on several workers of a process group: each has a part of every batch, all the same weights.

Steps equal those of one worker on the whole batch, to rounding: means over the batch are taken over all
workers (`mean_over_workers`), gradients averaged by torch's DDP, thresholds found from all residues.
"""

from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from protsae.activations.sampler import ResidueBatch
from protsae.core.errors import InputError
from protsae.sae.base import SparseAutoencoder, StepOutput, TrainingBatch
from protsae.sae.guidance_config import GuidanceConfig
from protsae.sae.registry import ARCHITECTURES
from protsae.training.config import TrainerConfig
from protsae.training.data import Split
from protsae.training.trainer import Trainer

_OPERATIONS = {"sum": dist.ReduceOp.SUM, "max": dist.ReduceOp.MAX}


def mean_over_workers(mean: Tensor, count: Tensor | int) -> Tensor:
    """See `sae.losses.BatchMean`: the workers' average of the results is the whole batch's mean."""
    own = torch.as_tensor(count, device=mean.device).detach().double()
    total = own.clone()
    dist.all_reduce(total)
    share = own * dist.get_world_size() / total.clamp_min(torch.finfo(torch.float64).tiny)
    return mean * share.to(mean.dtype)


class DistributedTrainer(Trainer):
    """A `Trainer` in each worker. Every worker draws the same batches and validates; the files are rank 0's.

    Raises:
        InputError: an architecture or a setting whose loss is no mean over the batch.
    """

    def __init__(
        self, sae: SparseAutoencoder, config: TrainerConfig, train: Split, validation: Split, **others: Any
    ) -> None:
        guidance = getattr(sae.config, "guidance", None)
        check_shared(sae.config_json()["architecture"], guidance)
        super().__init__(sae, config, train, validation, **others)
        self._rank, self._world = dist.get_rank(), dist.get_world_size()
        # without axioms, for one, ProtSAE has parameters that no loss reaches
        unused = guidance is not None
        self._ddp = DistributedDataParallel(_Step(self._sae), find_unused_parameters=unused)

    def _forward(self, residues: ResidueBatch) -> tuple[TrainingBatch, StepOutput]:
        whole = self._batch(residues)
        if len(residues.proteins) < self._world:  # too few to divide: every worker takes all
            with self._autocast:
                return whole, self._in_float32(self._ddp(whole))
        own = replace(self._batch(part_of(residues, self._rank, self._world)), mean=mean_over_workers)
        with self._autocast:
            output = self._in_float32(self._ddp(own))
        fired = output.fired.int()
        dist.all_reduce(fired, dist.ReduceOp.MAX)
        n_active = output.l0.double() * len(own.x)
        dist.all_reduce(n_active)
        logits = None if output.logits is None else self._gathered(output.logits, residues)
        statistics = {name: value.clone() for name, value in output.statistics.items()}
        for name, value in statistics.items():
            dist.all_reduce(value, _OPERATIONS[self._sae.merged[name]])
        l0 = n_active / len(whole.x)
        return whole, replace(output, fired=fired > 0, l0=l0, logits=logits, statistics=statistics)

    def _gathered(self, logits: Tensor, residues: ResidueBatch) -> Tensor:
        """Return the logits of all workers' residues, in the order of the batch."""
        sizes = [len(part_of(residues, rank, self._world).x) for rank in range(self._world)]
        padded = logits.new_zeros(max(sizes), logits.shape[1])
        padded[: len(logits)] = logits
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def _logged(self, output: StepOutput) -> dict[str, float]:
        values = torch.stack([value.detach().double() for value in output.losses.values()])
        dist.all_reduce(values)
        return dict(zip(output.losses, (values / self._world).tolist(), strict=True))

    def _is_to_stop(self, received: int | None) -> bool:
        asked = torch.tensor(int(received is not None), device=self._device)
        dist.all_reduce(asked, dist.ReduceOp.MAX)
        return bool(asked)


class _Step(nn.Module):
    """A training step's forward pass in the shape that DDP wraps."""

    def __init__(self, sae: SparseAutoencoder) -> None:
        super().__init__()
        self.sae = sae

    def forward(self, batch: TrainingBatch) -> StepOutput:
        """Return losses and codes of one batch."""
        return self.sae.step_output(batch)


def part_of(residues: ResidueBatch, rank: int, n_parts: int) -> ResidueBatch:
    """Return the proteins of one worker: a stretch of the batch's, as many as the others have or one more."""
    n = len(residues.proteins)
    first, last = rank * n // n_parts, (rank + 1) * n // n_parts
    here = (residues.segment >= first) & (residues.segment < last)
    return ResidueBatch(
        residues.x[here],
        residues.segment[here] - first,
        residues.proteins[first:last],
        residues.residue_index[here],
    )


def check_shared(architecture: str, guidance: GuidanceConfig | None) -> None:
    """Refuse what does not train on several workers as on one.

    Raises:
        InputError: an architecture or a setting whose steps are no means over the batch.
    """
    if architecture in ARCHITECTURES and not ARCHITECTURES[architecture].takes_parts:
        able = ", ".join(name for name, kind in ARCHITECTURES.items() if kind.takes_parts)
        raise InputError(
            f"architecture '{architecture}' trains on one worker: its codes are chosen among the whole "
            f"batch, or nothing is trained. Several workers train {able}"
        )
    if guidance is None:
        return
    values = {key: getattr(guidance, key) for key in ("lambda_decorrelation", "lambda_hierarchy")}
    if guidance.bce_reduction == "sum":
        values["bce_reduction"] = guidance.bce_reduction
    for key, value in values.items():
        if value:
            raise InputError(
                f"training.guidance.{key} is {value}, a loss over the whole batch that several workers "
                "cannot divide: use the default, or train on one worker"
            )
