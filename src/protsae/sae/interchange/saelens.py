"""SAELens' folder: `cfg.json`, and `sae_weights.safetensors` with the architecture's tensors and no others.

`W_enc [d_in, d_sae]`, `W_dec [d_sae, d_in]`, `b_enc`, `b_dec`; jumprelu also `threshold`; gated `b_gate`,
`b_mag` and `r_mag` in place of `b_enc`. BatchTopK is a jumprelu whose thresholds are all alike.
`apply_b_dec_to_input` takes `b_dec` from the normalised input. Without `sae_lens_version` in the metadata a
folder counts as older than 6.0, and its metadata as unknown.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from protsae.core.errors import InputError
from protsae.core.files import atomic_path, write_text_atomic
from protsae.core.tensor_files import load_safetensors
from protsae.sae.interchange.dictionary import Activation, DictionaryTensors, TokenNorm
from protsae.sae.interchange.states import check_names, check_sizes, read_fields, read_json, whole_number

CFG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
LAYOUT_VERSION = "6.54.12"  # the release that our folders were last loaded with
_COMMON = {"W_enc": "W_enc", "b_enc": "b_enc", "W_dec": "W_dec", "b_dec": "b_dec"}
_TENSORS = {
    "standard": _COMMON,
    "topk": _COMMON,
    "jumprelu": {**_COMMON, "threshold": "threshold"},
    "gated": {**_COMMON, "b_enc": "b_gate", "b_mag": "b_mag", "r_mag": "r_mag"},
}
"""Architecture to the tensors that it stores, by the name of their field in a `DictionaryTensors`."""
_WRITTEN: dict[Activation, str] = {
    "relu": "standard",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "batch_topk": "jumprelu",
    "gated": "gated",
}
_READ: dict[str, Activation] = {
    name: activation for activation, name in _WRITTEN.items() if activation != "batch_topk"
}
_NORM_WRITTEN: dict[TokenNorm, str] = {
    "none": "none",
    "layer_norm": "layer_norm",
    "sqrt_d": "constant_norm_rescale",
}
_NOT_COMPUTED = ("is_transcoder", "is_skip_transcoder", "use_error_term", "signed", "abs_topk")
_NORM_READ: dict[str, TokenNorm] = {name: norm for norm, name in _NORM_WRITTEN.items()}


def write_saelens(dictionary: DictionaryTensors, folder: Path, metadata: dict[str, Any]) -> None:
    """Write the folder; `cfg.json` last, so that half a folder is none.

    Args:
        dictionary: over raw activations.
        folder: made if need be.
        metadata: JSON values for SAELens' own `metadata`: `model_name`, `hook_name`, `protsae`, ...

    Raises:
        InputError: there is such a folder already.
    """
    from safetensors.torch import save_file

    if taken := [name for name in (CFG, WEIGHTS) if (folder / name).exists()]:
        raise InputError(f"{folder / taken[0]} exists already: give another folder, or remove that one")
    architecture = _WRITTEN[dictionary.activation]
    names = _TENSORS[architecture]
    tensors = {name: getattr(dictionary, field).contiguous() for field, name in names.items()}
    cfg: dict[str, Any] = {
        "architecture": architecture,
        "d_in": dictionary.d_model,
        "d_sae": dictionary.d_sae,
        "dtype": str(dictionary.W_enc.dtype).removeprefix("torch."),
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": _NORM_WRITTEN[dictionary.input_norm],
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": LAYOUT_VERSION,
            "training_architecture": dictionary.activation,
            **metadata,
        },
    }
    if dictionary.activation == "topk":
        cfg |= {"k": dictionary.k, "rescale_acts_by_decoder_norm": False}
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(tensors, str(temporary))
    write_text_atomic(folder / CFG, json.dumps(cfg, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_saelens(path: Path) -> DictionaryTensors:
    """Read a folder.

    Raises:
        InputError: not such a folder, or an architecture, an activation, an option or a normalisation that no
            module here computes.
    """
    folder = path if path.is_dir() else path.parent
    cfg_path, path = folder / CFG, folder / WEIGHTS
    cfg = _settings(cfg_path)
    architecture = cfg["architecture"]
    if architecture not in _READ:
        raise InputError(
            f"{cfg_path}: architecture {architecture!r}; those that can be read: {', '.join(_READ)}"
        )
    _check_computed(cfg_path, cfg)
    norm = cfg["normalize_activations"]
    notes = []
    if norm == "expected_average_only_in":
        notes.append(
            "the factor of expected_average_only_in is not in the folder: taken as 1, as SAELens does"
        )
        norm = "none"
    if norm not in _NORM_READ:
        raise InputError(f"{cfg_path}: normalize_activations {norm!r}; can be read: {', '.join(_NORM_READ)}")
    state = load_safetensors(path)[0]
    check_names(path, state, _TENSORS[architecture].values(), optional=("scaling_factor",))
    if not bool((state.get("scaling_factor", state["b_dec"].new_ones(1)) == 1).all()):
        raise InputError(f"{path}: a fine-tuning scaling factor that is not 1 cannot be read")
    read = DictionaryTensors(
        _READ[architecture],
        **read_fields(state, _TENSORS[architecture]),
        k=whole_number(cfg_path, "k", cfg.get("k")) if architecture == "topk" else None,
        input_norm=_NORM_READ[norm],
        metadata={"layout": "saelens", "config": cfg},
        notes=tuple(notes),
    )
    check_sizes(cfg_path, cfg, {"d_sae": read.d_sae, "d_in": read.d_model})
    if cfg["apply_b_dec_to_input"]:
        read = read.with_input_minus(read.b_dec)
    if architecture == "topk" and cfg.get("rescale_acts_by_decoder_norm"):
        norms = read.W_dec.double().norm(dim=1).clamp_min(1e-8)
        as_relu = replace(read, activation="relu").with_codes_times(norms)  # TopK sees the rescaled ones
        read = replace(as_relu, activation="topk")
    return read


def _check_computed(path: Path, cfg: dict[str, Any]) -> None:
    """Refuse an activation or an option that is not computed here, and TopK without k.

    Raises:
        InputError: naming it.
    """
    kwargs = cfg.get("activation_fn_kwargs") or {}
    for name in ("activation_fn", "activation_fn_str"):
        function = cfg.get(name) or "relu"
        if function not in {"relu", "topk"}:
            raise InputError(f"{path}: {name} {function!r} cannot be read; those that can: relu, topk")
        if function == "topk" and "k" not in cfg:
            raise InputError(f"{path}: {name} 'topk' without k in activation_fn_kwargs: add it")
    if others := sorted(set(kwargs) - {"k"}):
        raise InputError(f"{path}: activation_fn_kwargs has {others[0]!r}, which cannot be read")
    is_other = {
        "reshape_activations": cfg.get("reshape_activations") not in {None, "none", "hook_z"},
        "rescale_acts_by_decoder_norm": bool(cfg.get("rescale_acts_by_decoder_norm"))
        and cfg["architecture"] != "topk",
        "d_out": cfg.get("d_out") not in {None, cfg.get("d_in")},
        **{name: bool(cfg.get(name)) for name in _NOT_COMPUTED},
    }
    if found := [name for name, value in is_other.items() if value]:
        raise InputError(f"{path}: {found[0]} is {cfg[found[0]]!r}, which is not computed here")


def _settings(path: Path) -> dict[str, Any]:
    """Return cfg.json with the defaults of the release that wrote it."""
    cfg = read_json(path)
    kwargs = cfg.get("activation_fn_kwargs") or {}
    if (cfg.get("activation_fn") or cfg.get("activation_fn_str")) == "topk" and "k" in kwargs:
        cfg = {**cfg, "architecture": "topk", "k": kwargs["k"]}  # releases before 6
    norm = cfg.get("normalize_activations") or "none"
    return {
        "architecture": "standard",
        "apply_b_dec_to_input": True,
        **cfg,
        "normalize_activations": "expected_average_only_in" if norm is True else norm,
    }
