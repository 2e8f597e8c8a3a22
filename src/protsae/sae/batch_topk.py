"""BatchTopK sparse autoencoder (Bussmann, Leask and Nanda 2024, arXiv 2412.06410)."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from protsae.sae.base import StepOutput, TrainingBatch
from protsae.sae.codes import SparseCodes
from protsae.sae.config import BatchTopKConfig, MatryoshkaConfig
from protsae.sae.kernels import encode_batch_top_k
from protsae.sae.selected import SelectedSae

_N_SETTLING = 32


class BatchTopKSae(SelectedSae):
    """Trains on the n * k largest pre-activations of a batch; encodes with one threshold for all latents.

    The threshold is a running mean of the smallest pre-activation that a training batch keeps. A token's code
    therefore depends on no other token.
    """

    takes_parts = False  # codes are chosen among all of the batch
    config: BatchTopKConfig | MatryoshkaConfig
    threshold: Tensor
    """What a pre-activation has to exceed."""
    n_threshold_steps: Tensor
    """Steps over which it was averaged."""

    def __init__(
        self, config: BatchTopKConfig | MatryoshkaConfig, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, generator)
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("n_threshold_steps", torch.zeros((), dtype=torch.int64))

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""
        pre_acts = self._pre_acts(self.scale_input(x))
        return functional.relu(pre_acts) * (pre_acts > self.threshold)

    @torch.no_grad()
    def after_epoch(self, batches: Iterable[TrainingBatch]) -> None:
        """Set the threshold to its mean over some batches: while the weights move, it lags."""
        smallest = [
            self._smallest(self._chosen(self.scale_input(b.x), 1.0)[0]) for b in islice(batches, _N_SETTLING)
        ]
        known = [value for value in smallest if torch.isfinite(value)]
        if known:
            self.threshold.copy_(torch.stack(known).mean())

    def _chosen(self, scaled: Tensor, progress: float, **dead: Any) -> tuple[SparseCodes, SparseCodes | None]:
        return encode_batch_top_k(scaled, self.encoder, self.b_enc, self.config.k, **dead)

    def _statistics(self, codes: SparseCodes) -> dict[str, Tensor]:
        return {"smallest": self._smallest(codes)}

    def _smallest(self, codes: SparseCodes) -> Tensor:
        """Return the smallest code above zero; infinite without one."""
        kept = codes.values.detach().flatten()
        return torch.cat([kept.where(kept > 0, torch.inf), kept.new_full((1,), torch.inf)]).min()

    @torch.no_grad()
    def after_step(self, batch: TrainingBatch, output: StepOutput) -> None:
        """Move the threshold towards the smallest pre-activation that the batch kept, if it kept any."""
        smallest = output.statistics["smallest"]
        if not torch.isfinite(smallest):
            return
        self.n_threshold_steps += 1
        share = max(1 - self.config.threshold_momentum, 1 / int(self.n_threshold_steps))
        self.threshold.lerp_(smallest.to(self.threshold.dtype), share)
