"""Plain TopK sparse autoencoder (Makhzani and Frey 2013; Gao et al. 2024, arXiv 2406.04093)."""

from torch import Tensor

from protsae.sae.codes import SparseCodes
from protsae.sae.config import OrderedConfig, TopKConfig
from protsae.sae.kernels import encode_top_k
from protsae.sae.selected import SelectedSae


class TopKSae(SelectedSae):
    """Codes are the k largest of `x_n W_enc + b_enc`, ReLU applied; at most k latents fire per token."""

    config: TopKConfig | OrderedConfig

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""
        return self.sparse_codes(x).dense(self.config.d_sae)

    def sparse_codes(self, x: Tensor) -> SparseCodes:
        """Return the codes of raw activations [n, d_model] without their zeros."""
        return encode_top_k(self.scale_input(x), self.encoder, self.b_enc, self.config.k)[0]
