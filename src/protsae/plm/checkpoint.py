"""Loading ESM-2 checkpoints: fair-esm's files and names, Hugging Face's folders, and models of our own.

Nothing in a checkpoint is executed, and no contact-regression file is needed: the contact head is left out.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protsae.core.errors import MALFORMED, InputError
from protsae.plm.hugging_face import folder_of, read_hugging_face
from protsae.plm.names import ESM2_NAMES, fetch
from protsae.plm.weights import Weights, read_fair_esm, read_own

if TYPE_CHECKING:
    from esm import ESM2

_COMPUTED = re.compile(r"rot_emb\.inv_freq$|^contact_head\.")


@dataclass(frozen=True)
class PlmModel:
    """A protein language model in float32, in evaluation mode, without its contact head."""

    name: str
    """File name without suffix; of a folder its name."""
    sha256: str
    """SHA-256 of the checkpoint file, hex; of a folder that of its configuration and weights together."""
    n_layers: int
    """Transformer layers."""
    d_model: int
    """Width of the residual stream."""
    n_heads: int
    """Attention heads."""
    module: "ESM2"
    """fair-esm's module; `module.alphabet` is its vocabulary."""


def load_plm(source: str | Path) -> PlmModel:
    """Load an ESM-2 model.

    Args:
        source: a fair-esm `.pt` file; a `.safetensors` file under fair-esm's parameter names with the shape
            in its header; a folder in the layout of Hugging Face's `EsmForMaskedLM` (or the
            `model.safetensors` in it); or a fair-esm name such as `esm2_t6_8M_UR50D`, which is looked for in
            torch hub's cache and else downloaded.

    Raises:
        InputError: missing, truncated or foreign file, one that would run code, or no internet for a name.
    """
    weights = _read(source)
    return PlmModel(
        name=weights.name,
        sha256=weights.sha256(),
        n_layers=weights.shape.num_layers,
        d_model=weights.shape.embed_dim,
        n_heads=weights.shape.attention_heads,
        module=_build(weights),
    )


def _read(source: str | Path) -> Weights:
    path = Path(source)
    if not path.exists():
        if str(source) not in ESM2_NAMES:
            raise InputError(
                f"no model file {path}: give a .safetensors or fair-esm .pt file, a folder in Hugging Face's "
                f"layout, or one of the names {', '.join(ESM2_NAMES)}"
            )
        path = fetch(str(source))
    if folder := folder_of(path):
        return read_hugging_face(folder)
    if not path.is_file():
        raise InputError(f"{path} is a named pipe or a device, not a file of a model: give its file")
    return read_own(path) if path.suffix == ".safetensors" else read_fair_esm(path)


def _build(weights: Weights) -> "ESM2":
    """Build fair-esm's module around the weights: on the meta device, so that no random number is drawn."""
    import torch
    from esm import ESM2
    from esm.rotary_embedding import RotaryEmbedding

    path, shape = weights.files[0], weights.shape
    shape.check(path)
    state = {name: value.float() for name, value in weights.state.items() if not _COMPUTED.search(name)}
    n_layers = min(shape.num_layers, len(state))  # a corrupted header builds no million layers
    try:
        with torch.device("meta"):
            module = ESM2(n_layers, shape.embed_dim, shape.attention_heads, "ESM-1b", shape.token_dropout)
    except (RuntimeError, *MALFORMED) as error:
        raise InputError(f"{path}: no model has a width of {shape.embed_dim} ({error})") from error
    module.contact_head = None
    for layer in module.layers:
        layer.self_attn.rot_emb = None
    tied = state.setdefault("lm_head.weight", state.get("embed_tokens.weight", torch.empty(0)))
    expected = {name: value.shape for name, value in module.state_dict().items()}
    wrong = sorted(
        {name for name in expected.keys() | state.keys() if name not in expected or name not in state}
        | {name for name in expected.keys() & state.keys() if expected[name] != state[name].shape}
    )
    if wrong:
        raise InputError(
            f"{path} does not fit an ESM-2 of {shape.num_layers} layers and width {shape.embed_dim}: "
            f"{len(wrong)} parameters are missing, unknown or of another shape (first: {wrong[0]})"
        )
    if not torch.equal(tied, state["embed_tokens.weight"]):
        raise InputError(f"{path}: lm_head.weight differs from embed_tokens.weight, ESM-2 ties them")
    module.load_state_dict(state, strict=False, assign=True)
    module.lm_head.weight = module.embed_tokens.weight
    for layer in module.layers:
        layer.self_attn.rot_emb = RotaryEmbedding(dim=shape.embed_dim // shape.attention_heads)
    return module.eval().requires_grad_(False)
