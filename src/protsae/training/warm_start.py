"""Start ProtSAE's free latents from those of a dictionary that is trained already."""

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from protsae.activations.sampler import ResidueBatch
from protsae.core.errors import InputError
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sae.dense import LinearEncoderSae
from protsae.sae.protsae import ProtSae
from protsae.sae.unguided_config import TOPK_FAMILY

_N_RESIDUES = 20_000


def load_donor(path: Path, hook_point: str, d_model: int) -> LinearEncoderSae:
    """Return the dictionary that gives its latents.

    Raises:
        InputError: it is not of the TopK family, or belongs to other activations.
    """
    checkpoint = SaeCheckpoint(path)
    architecture, donor = checkpoint.config["architecture"], checkpoint.load()
    if not isinstance(donor, LinearEncoderSae) or architecture not in TOPK_FAMILY:
        raise InputError(
            f"{path} holds a dictionary of architecture '{architecture}': a warm start takes one of "
            f"{', '.join(TOPK_FAMILY)}"
        )
    theirs = (checkpoint.metadata.get("hook_point"), donor.config.d_model)
    if theirs != (hook_point, d_model):
        raise InputError(
            f"{path} was trained on {theirs[0]} with d_model {theirs[1]}, and is to start a training on "
            f"{hook_point} with d_model {d_model}: train one on the same activations"
        )
    return donor


@torch.no_grad()
def start_from(sae: ProtSae, donor: LinearEncoderSae, batches: Iterable[ResidueBatch]) -> int:
    """Copy the donor's latents of most energy (sum of squared codes) into the free ones, and its bias.

    What the donor encodes and decodes in raw units stays the same, also where its centring and scaling are
    others. Free latents that the donor has none for keep their random start.

    Args:
        sae: of input statistics that are set.
        donor: see `load_donor`.
        batches: training residues; the first 20,000 tell the energies.

    Returns:
        How many latents were copied.
    """
    chosen = _most_energy(donor, batches, sae.config.n_free)
    n, m = len(chosen), sae.n_defined
    ratio = sae.input_scale / donor.input_scale
    shift = (sae.input_mean - donor.input_mean) * sae.input_scale
    sae.W_free[:, :n] = donor.encoder[:, chosen]
    sae.b_free[:n] = shift @ donor.encoder[:, chosen] + donor.b_enc[chosen] * ratio
    sae.W_dec[m : m + n] = donor.W_dec[chosen]
    sae.b_dec.copy_(donor.b_dec * ratio - shift)
    return n


def _most_energy(donor: LinearEncoderSae, batches: Iterable[ResidueBatch], n: int) -> Tensor:
    """Return the n latents of most energy, ascending."""
    energy, n_seen = torch.zeros(donor.config.d_sae, dtype=torch.float64), 0
    for batch in batches:
        codes = donor.sparse_codes(batch.x)
        energy.index_add_(0, codes.columns.reshape(-1), codes.values.reshape(-1).double().square())
        n_seen += len(batch.x)
        if n_seen >= _N_RESIDUES:
            break
    best = energy.sort(descending=True, stable=True).indices[:n]
    return best.sort().values
