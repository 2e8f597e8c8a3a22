"""InterProt's autoencoders (liambai/InterProt-ESM2-SAEs): TopK over layer-normalised tokens.

`w_enc [d_model, d_sae]`, `w_dec [d_sae, d_model]`, `b_enc`, `b_pre`, `stats_last_nonzero`; `k` is not in the
file. Decoder rows are not of unit norm. In Lightning's checkpoints the names start with `sae_model.`.
"""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protsae.core.tensor_files import load_plain_torch, load_safetensors
from protsae.sae.interchange.dictionary import DictionaryTensors
from protsae.sae.interchange.states import check_names, read_fields, tensors_of, whole_number

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_K = 128  # the default of InterProt's own class, with which its published loader builds it
_PREFIX = "sae_model."
_TENSORS = {"W_enc": "w_enc", "b_enc": "b_enc", "W_dec": "w_dec", "b_dec": "b_pre"}


def read_interprot(path: Path, k: int | None = None) -> DictionaryTensors:
    """Read a `.safetensors`, `.pt` or Lightning `.ckpt` file.

    Args:
        path: the file.
        k: latents per token; None: what a Lightning checkpoint says, else InterProt's default, 128.

    Raises:
        InputError: not such a file, or a k that does not fit.
    """
    state, stored_k = _read(path)
    check_names(path, state, _TENSORS.values(), optional=("stats_last_nonzero",))
    notes = []
    if k is None and stored_k is None:
        notes.append(f"InterProt's files do not hold k: taken as its default, {DEFAULT_K}")
    if "stats_last_nonzero" in state:
        notes.append("stats_last_nonzero, a counter of training, was left out")
    read = DictionaryTensors(
        "topk",
        **read_fields(state, _TENSORS),
        k=k or stored_k or DEFAULT_K,
        input_norm="layer_norm",
        metadata={"layout": "interprot"},
        notes=tuple(notes),
    )
    return read.with_input_minus(read.b_dec)


def _read(path: Path) -> tuple[dict[str, "Tensor"], int | None]:
    if path.suffix == ".safetensors":
        return load_safetensors(path)[0], None
    content: Any = load_plain_torch(path, "InterProt checkpoint", allowed=[Namespace])
    k = None
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        arguments = (content.get("hyper_parameters") or {}).get("args")
        stored = vars(arguments).get("k") if isinstance(arguments, Namespace) else None
        k = None if stored is None else whole_number(path, "k", stored)
        content = content["state_dict"]
        own = {name.removeprefix(_PREFIX): x for name, x in content.items() if name.startswith(_PREFIX)}
        content = own or content
    return tensors_of(path, content, "InterProt checkpoint"), k
