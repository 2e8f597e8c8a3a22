"""EleutherAI's sparsify: a folder per hook point with `cfg.json` and `sae.safetensors`.

`encoder.weight [d_sae, d_model]`, `encoder.bias`, `W_dec [d_sae, d_model]`, which is not transposed,
`b_dec`. TopK of `ReLU((x - b_dec) encoder.weightᵀ + encoder.bias)`.
"""

from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.tensor_files import load_safetensors
from protsae.sae.interchange.dictionary import DictionaryTensors
from protsae.sae.interchange.states import check_names, check_sizes, read_fields, read_json, whole_number

_TENSORS = {"W_enc": "encoder.weight", "b_enc": "encoder.bias", "W_dec": "W_dec", "b_dec": "b_dec"}
_COMPUTED = frozenset(
    ("activation", "d_in", "expansion_factor", "k", "multi_topk", "normalize_decoder", "num_latents")
)
"""Options that are read here or speak of training; any other that is on changes what is computed."""


def read_sparsify(path: Path) -> DictionaryTensors:
    """Read a hook point's folder.

    Raises:
        InputError: not such a folder, or a model that is no plain TopK autoencoder: a transcoder, a skip
            connection, signed codes, groups instead of TopK, an option that is not known.
    """
    folder = path if path.is_dir() else path.parent
    cfg_path, path = folder / "cfg.json", folder / "sae.safetensors"
    cfg = read_json(cfg_path)
    if others := [name for name, value in cfg.items() if value and name not in _COMPUTED]:
        raise InputError(
            f"{cfg_path}: {others[0]} is {cfg[others[0]]!r}; only plain TopK autoencoders can be read"
        )
    if cfg.get("activation", "topk") != "topk":
        raise InputError(f"{cfg_path}: activation {cfg['activation']!r}; only 'topk' can be read")
    state = load_safetensors(path)[0]
    check_names(path, state, _TENSORS.values())
    read = DictionaryTensors(
        "topk",
        **read_fields(state, _TENSORS),
        k=whole_number(cfg_path, "k", cfg.get("k")),
        metadata={"layout": "sparsify", "hook_point": folder.name, "config": cfg},
    )
    check_sizes(cfg_path, cfg, {"num_latents": read.d_sae, "d_in": read.d_model})
    return read.with_input_minus(read.b_dec)
