"""Start ProtSAE's free latents from those of a trained dictionary."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from protsae.activations.sampler import ResidueBatch
from protsae.core.errors import InputError
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sae.dense import LinearEncoderSae
from protsae.sae.protsae import ProtSae
from protsae.sae.registry import TOPK_FAMILY

_N_RESIDUES = 20_000
_SAME = ("hook_point", "model", "model_sha256")


def load_donor(path: Path, origin: Mapping[str, Any], d_model: int) -> LinearEncoderSae:
    """Return the dictionary that gives its latents.

    Args:
        path: its checkpoint.
        origin: `TrainingTask.origin` of the training that starts from it.
        d_model: width of that training's activations.

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
    theirs, ours = ({name: one.get(name) for name in _SAME} for one in (checkpoint.metadata, origin))
    if theirs != ours or donor.config.d_model != d_model:
        raise InputError(
            f"{path} was trained on {_named(theirs, donor.config.d_model)}, the training that starts from it "
            f"is on {_named(ours, d_model)}: train one on the same activations"
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
        batches: training residues; the energies are those of the first 20,000.

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


def _named(origin: Mapping[str, Any], d_model: int) -> str:
    model = f"{origin['model']} (sha256 {str(origin['model_sha256'])[:12]})"
    return f"{origin['hook_point']} of {model} with d_model {d_model}"


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
