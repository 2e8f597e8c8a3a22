"""Loading ESM-2 checkpoints: fair-esm's files, its model names, and safetensors with the shape in the header.

Nothing in a checkpoint is executed, and no contact-regression file is needed: the contact head is left out.
"""

import re
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from protsae.core.errors import InputError
from protsae.core.files import atomic_path, sha256_file
from protsae.core.tensor_files import load_plain_torch, load_safetensors

if TYPE_CHECKING:
    from esm import ESM2
    from torch import Tensor

_MODEL_URL = "https://dl.fbaipublicfiles.com/fair-esm/models/{name}.pt"  # where fair-esm gets its models
_FAIR_ESM_NAME = re.compile(r"esm2_t\d+_\d+[MB]_UR50D")
_FAIR_ESM_PREFIX = re.compile(r"^encoder\.(sentence_encoder\.)?")
_COMPUTED = re.compile(r"rot_emb\.inv_freq$|^contact_head\.")


@dataclass(frozen=True)
class PlmModel:
    """A protein language model in float32, in evaluation mode, without its contact head."""

    name: str
    """File name without suffix."""
    sha256: str
    """SHA-256 of the checkpoint file, hex."""
    n_layers: int
    """Transformer layers."""
    d_model: int
    """Width of the residual stream."""
    n_heads: int
    """Attention heads."""
    module: "ESM2"
    """fair-esm's module; `module.alphabet` is its vocabulary."""


@dataclass(frozen=True)
class _Shape:
    num_layers: int
    embed_dim: int
    attention_heads: int
    token_dropout: bool


def load_plm(source: str | Path) -> PlmModel:
    """Load an ESM-2 model.

    Args:
        source: a `.safetensors` file under fair-esm's parameter names with the shape in its header, a
            fair-esm `.pt` file, or a fair-esm name such as `esm2_t6_8M_UR50D`, which is looked for in torch
            hub's cache and else downloaded.

    Raises:
        InputError: missing, truncated or foreign file, one that would run code, or no internet for a name.
    """
    path = _resolve(source)
    state, shape = _read_safetensors(path) if path.suffix == ".safetensors" else _read_fair_esm(path)
    module = _build(path, state, shape)
    return PlmModel(
        name=path.stem,
        sha256=sha256_file(path),
        n_layers=shape.num_layers,
        d_model=shape.embed_dim,
        n_heads=shape.attention_heads,
        module=module,
    )


def _resolve(source: str | Path) -> Path:
    path = Path(source)
    if path.is_file():
        return path
    if _FAIR_ESM_NAME.fullmatch(str(source)):
        return _cached_or_downloaded(str(source))
    raise InputError(
        f"no model file {path}: give a .safetensors or fair-esm .pt file, or a name such as esm2_t6_8M_UR50D"
    )


def _cached_or_downloaded(name: str) -> Path:
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / f"{name}.pt"
    if not path.is_file():
        url = _MODEL_URL.format(name=name)
        try:
            with atomic_path(path) as temporary:
                torch.hub.download_url_to_file(url, str(temporary), progress=False)
        except OSError as error:
            raise InputError(
                f"{name} is not in {path.parent} and could not be downloaded from {url} ({error}): "
                "download it on a machine with internet and give the path of the file"
            ) from error
    return path


def _read_safetensors(path: Path) -> tuple[dict[str, "Tensor"], _Shape]:
    state, header = load_safetensors(path)
    kind = (header.get("architecture"), header.get("alphabet"))
    if kind != ("ESM2", "ESM-1b"):
        raise InputError(f"{path} holds no ESM2 with alphabet ESM-1b: its header says {kind[0]}, {kind[1]}")
    try:
        shape = _Shape(
            num_layers=int(header["num_layers"]),
            embed_dim=int(header["embed_dim"]),
            attention_heads=int(header["attention_heads"]),
            token_dropout={"true": True, "false": False}[header["token_dropout"]],
        )
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: its header lacks or garbles the model's shape ({error})") from error
    return state, shape


def _read_fair_esm(path: Path) -> tuple[dict[str, "Tensor"], _Shape]:
    content = load_plain_torch(path, "fair-esm checkpoint", allowed=[Namespace])
    try:
        config = content["cfg"]["model"]
        shape = _Shape(
            num_layers=int(config.encoder_layers),
            embed_dim=int(config.encoder_embed_dim),
            attention_heads=int(config.encoder_attention_heads),
            token_dropout=bool(config.token_dropout),
        )
        state = {_FAIR_ESM_PREFIX.sub("", name): value for name, value in content["model"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a fair-esm ESM-2 checkpoint: it lacks {error}") from error
    return state, shape


def _build(path: Path, state: dict[str, "Tensor"], shape: _Shape) -> "ESM2":
    """Build fair-esm's module around the weights: on the meta device, so that no random number is drawn."""
    import torch
    from esm import ESM2
    from esm.rotary_embedding import RotaryEmbedding

    with torch.device("meta"):
        module = ESM2(shape.num_layers, shape.embed_dim, shape.attention_heads, "ESM-1b", shape.token_dropout)
    module.contact_head = None
    for layer in module.layers:
        layer.self_attn.rot_emb = None
    state = {name: value.float() for name, value in state.items() if not _COMPUTED.search(name)}
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
