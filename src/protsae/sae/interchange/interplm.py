"""InterPLM's autoencoders: `ae.pt`, `ae_normalized.pt`, `ae_unnormalized.pt`; and `config.yaml`.

Beyond dictionary_learning's tensors: `activation_rescale_factor [d_sae]`, the largest code of each latent, by
which `encode(normalize_features=True)` divides; `normalize_to_sqrt_d`, tokens scaled to norm sqrt(d_model).
The normalised files published for ESM-2 hold neither: there the factors are in the weights.

`config.yaml` names Python objects. It is never parsed: only class names are looked for in its text.
"""

import re
from dataclasses import replace
from pathlib import Path

from protsae.core.tensor_files import load_plain_torch
from protsae.sae.interchange.dictionary import DictionaryTensors
from protsae.sae.interchange.states import floats, tensors_of
from protsae.sae.interchange.torch_layouts import read_state

OWN_TENSORS = frozenset({"activation_rescale_factor", "normalize_to_sqrt_d"})
CLASS_OF = {"topk": "AutoEncoderTopK", "batch_topk": "BatchTopKSAE"}
_MAX_CONFIG = 1 << 20


def read_interplm(
    path: Path, activation: str | None = None, normalise_codes: bool = False, k: int | None = None
) -> DictionaryTensors:
    """Read a model file.

    Args:
        path: `ae.pt` or one of its companions.
        activation: `topk` or `batch_topk`, which only the name in `config.yaml` tells apart.
        normalise_codes: divide codes by `activation_rescale_factor` and multiply decoder rows by it.
        k: latents per token of TopK, where the file does not hold it.

    Raises:
        InputError: not such a file, one that would run code, ambiguous, or TopK with `normalise_codes`.
    """
    state = tensors_of(path, load_plain_torch(path, "InterPLM checkpoint"), "InterPLM checkpoint")
    factors = state.get("activation_rescale_factor")
    by_norm = bool(state.get("normalize_to_sqrt_d", False))
    own = {name: tensor for name, tensor in state.items() if name not in OWN_TENSORS}
    name = CLASS_OF[activation] if activation in CLASS_OF else _named_in_config(path, set(own))
    read = replace(read_state(path, own, name, k), input_norm="sqrt_d" if by_norm else "none")
    read = replace(read, metadata={"layout": "interplm", **read.metadata})
    if factors is None or bool((factors == 1).all()):
        return read
    if not normalise_codes:
        return read.with_notes("codes were not divided by activation_rescale_factor: ask by normalise_codes")
    read = read.with_codes_times(1 / floats(factors).double().clamp_min(1e-8))
    return read.with_notes("codes were divided by activation_rescale_factor, decoder rows multiplied by it")


def _named_in_config(path: Path, names: set[str]) -> str | None:
    """Return the class that config.yaml names, where the tensors are of two."""
    config = path.parent / "config.yaml"
    if "k" not in names or not config.is_file():
        return None
    text = config.read_bytes()[:_MAX_CONFIG].decode("utf-8", "replace")
    is_batch = re.search(r"\bBatchTopK|\bbatch_top_k", text) is not None
    is_plain = re.search(r"\bTopK|\btrainers\.top_k", text) is not None
    if is_batch == is_plain:
        return None
    return CLASS_OF["batch_topk" if is_batch else "topk"]
