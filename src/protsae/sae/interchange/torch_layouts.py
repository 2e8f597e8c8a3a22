"""`ae.pt` of dictionary_learning and of InterPLM, which began as a copy of it: state dicts by `torch.save`.

Linear layers hold `encoder.weight [d_sae, d_model]` and `decoder.weight [d_model, d_sae]`; parameters hold
`W_enc [d_model, d_sae]` and `W_dec [d_sae, d_model]`. The classes, by dictionary_learning's name:

- `AutoEncoder`: `bias` is taken from the input and added to the output.
- `AutoEncoderNew`: `decoder.bias` is added to the output only.
- `AutoEncoderTopK`, `BatchTopKSAE`: `b_dec` is taken from the input and added to the output; both hold `k`
  and `threshold`, and nothing in the file tells them apart. BatchTopK encodes by its threshold.
- `MatryoshkaBatchTopKSAE`: as BatchTopKSAE, as parameters, with `group_sizes`.
- `JumpReluAutoEncoder`: `b_dec` is added to the output only. InterPLM's has linear layers.
- `GatedAutoEncoder`: `decoder_bias` is taken from the input and added to the output.

Revisions of the last two before release 0.1.0 multiply codes by the norms of the decoder rows; the release
does not, and trains JumpReLU to unit norms.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from protsae.core.errors import InputError
from protsae.sae.interchange.dictionary import Activation, Dictionary
from protsae.sae.interchange.states import check_names, floats, per_latent

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

State = dict[str, "Tensor"]
_UNIT = 1e-3  # norms within this of 1 make no difference that float16 weights would not


class Shape(NamedTuple):
    """How one class stores itself."""

    names: frozenset[str]
    """Its tensors."""
    optional: frozenset[str]
    """Those that some versions leave out."""
    read: Callable[[State], Dictionary]


def _linear(state: State, activation: Activation, bias: str) -> Dictionary:
    threshold = None if activation in ("relu", "topk") else state["threshold"]
    return Dictionary(
        activation=activation,
        W_enc=floats(state["encoder.weight"].T),
        b_enc=floats(state["encoder.bias"]),
        W_dec=floats(state["decoder.weight"].T),
        b_dec=floats(state[bias]),
        k=int(state["k"]) if "k" in state else None,
        threshold=None if threshold is None else per_latent(threshold, len(state["encoder.weight"])),
    )


def _relu(state: State) -> Dictionary:
    read = _linear(state, "relu", "bias")
    return read.with_input_minus(read.b_dec)


def _relu_new(state: State) -> Dictionary:
    return _linear(state, "relu", "decoder.bias")


def _topk(state: State) -> Dictionary:
    read = _linear(state, "topk", "b_dec")
    return read.with_input_minus(read.b_dec)


def _batch_topk(state: State) -> Dictionary:
    _check_threshold(state)
    read = _linear(state, "batch_topk", "b_dec")
    return read.with_input_minus(read.b_dec)


def _matryoshka(state: State) -> Dictionary:
    _check_threshold(state)
    sizes = tuple(state["group_sizes"].tolist())
    read = _parameters(state, "batch_topk", k=int(state["k"]), group_sizes=sizes)
    return read.with_input_minus(read.b_dec)


def _parameters(state: State, activation: Activation, **fields: Any) -> Dictionary:
    W_enc = floats(state["W_enc"])
    return Dictionary(
        activation=activation,
        W_enc=W_enc,
        b_enc=floats(state["b_enc"]),
        W_dec=floats(state["W_dec"]),
        b_dec=floats(state["b_dec"]),
        threshold=per_latent(state["threshold"], W_enc.shape[1]),
        **fields,
    )


def _jumprelu(state: State) -> Dictionary:
    return _with_word_on_norms(_parameters(state, "jumprelu"))


def _jumprelu_linear(state: State) -> Dictionary:
    return _linear(state, "jumprelu", "decoder.bias")


def _gated(state: State) -> Dictionary:
    read = Dictionary(
        activation="gated",
        W_enc=floats(state["encoder.weight"].T),
        b_enc=floats(state["gate_bias"]),
        W_dec=floats(state["decoder.weight"].T),
        b_dec=floats(state["decoder_bias"]),
        b_mag=floats(state["mag_bias"]),
        r_mag=floats(state["r_mag"]),
    )
    return _with_word_on_norms(read).with_input_minus(read.b_dec)


def _with_word_on_norms(read: Dictionary) -> Dictionary:
    norms = read.W_dec.double().norm(dim=1)
    if bool(((norms - 1).abs() < _UNIT).all()):
        return read
    return read.with_notes(
        "decoder rows are not of unit norm: codes are those of dictionary_learning 0.1.0; revisions before "
        "it multiplied them by the rows' norms"
    )


def _check_threshold(state: State) -> None:
    if float(state["threshold"]) < 0:
        raise InputError(
            f"its threshold is {float(state['threshold']):g}: it was never set in training, and without it "
            "BatchTopK's codes depend on the batch"
        )


_LAYERS = frozenset({"encoder.weight", "encoder.bias", "decoder.weight"})
_PARAMETERS = frozenset({"W_enc", "b_enc", "W_dec", "b_dec", "threshold"})
_NONE: frozenset[str] = frozenset()

CLASSES: dict[str, Shape] = {
    "AutoEncoder": Shape(_LAYERS | {"bias"}, _NONE, _relu),
    "AutoEncoderNew": Shape(_LAYERS | {"decoder.bias"}, _NONE, _relu_new),
    "AutoEncoderTopK": Shape(_LAYERS | {"b_dec", "k"}, frozenset({"threshold"}), _topk),
    "BatchTopKSAE": Shape(_LAYERS | {"b_dec", "k", "threshold"}, _NONE, _batch_topk),
    "MatryoshkaBatchTopKSAE": Shape(_PARAMETERS | {"k", "group_sizes"}, _NONE, _matryoshka),
    "JumpReluAutoEncoder": Shape(_PARAMETERS, _NONE, _jumprelu),
    "JumpReLUSAE": Shape(_LAYERS | {"decoder.bias", "threshold"}, _NONE, _jumprelu_linear),
    "GatedAutoEncoder": Shape(
        frozenset({"decoder_bias", "encoder.weight", "r_mag", "gate_bias", "mag_bias", "decoder.weight"}),
        _NONE,
        _gated,
    ),
}
"""By dictionary_learning's name; `JumpReLUSAE` is InterPLM's."""


def read_state(path: "Path", state: State, name: str | None) -> Dictionary:
    """Read a state dict.

    Args:
        path: where it comes from, for messages.
        state: tensors by name.
        name: class in `CLASSES`; None: told by the names of the tensors.

    Raises:
        InputError: tensors that the class does not have, or that belong to more than one class.
    """
    if name is None:
        fitting = [
            known
            for known, shape in CLASSES.items()
            if shape.names <= set(state) <= shape.names | shape.optional
        ]
        if len(fitting) > 1:
            raise InputError(
                f"{path} may be of class {' or '.join(fitting)}, whose files have the same tensors: "
                "say which by `activation` topk or batch_topk"
            )
        if not fitting:
            raise InputError(f"{path} is of no known class; its tensors are {', '.join(sorted(state))}")
        name = fitting[0]
    shape = CLASSES[name]
    check_names(path, state, shape.names, shape.optional)
    read = shape.read(state)
    return replace(read, metadata={**read.metadata, "class": name})
