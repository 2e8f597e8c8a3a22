"""TopK with one half frozen at random values: what training adds (Korznikov et al. 2026, arXiv 2602.14111).

Both start as `topk` does from the same seed, and differ from it by the frozen tensor alone.
"""

import torch

from protsae.sae.config import SaeConfig
from protsae.sae.topk import TopKSae


class FrozenDecoderSae(TopKSae):
    """The decoder's rows stay the random unit vectors that they start as; the encoder learns to use them."""

    def __init__(self, config: SaeConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        self.W_dec.requires_grad_(False)

    @property
    def has_unit_rows(self) -> bool:
        """False: the rows are of unit norm, but no step touches them, not even to round their norm."""
        return False


class FrozenEncoderSae(TopKSae):
    """The encoder's directions stay random; its bias, that is when a latent fires, and the decoder learn."""

    def __init__(self, config: SaeConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        self.encoder.requires_grad_(False)
