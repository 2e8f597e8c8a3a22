"""`ae.pt` of dictionary_learning and of InterPLM, which began as a copy of it: state dicts by `torch.save`.

Linear layers hold `encoder.weight [d_sae, d_model]` and `decoder.weight [d_model, d_sae]`; parameters hold
`W_enc [d_model, d_sae]` and `W_dec [d_sae, d_model]`. The classes, by dictionary_learning's name:

- `AutoEncoder`: `bias` is taken from the input and added to the output.
- `AutoEncoderNew`: `decoder.bias` is added to the output only.
- `AutoEncoderTopK`, `BatchTopKSAE`: `b_dec` is taken from the input and added to the output; both hold `k`
  and `threshold`, and nothing in the file tells them apart. BatchTopK encodes by its threshold. Early
  revisions of TopK store neither.
- `MatryoshkaBatchTopKSAE`: as BatchTopKSAE, as parameters, with `group_sizes`.
- `JumpReluAutoEncoder`: `b_dec` is added to the output only. InterPLM's has linear layers.
- `GatedAutoEncoder`: `decoder_bias` is taken from the input and added to the output.

Revisions of the last two before release 0.1.0 multiply codes by the norms of the decoder rows; the release
does not, and trains JumpReLU to unit norms.
"""

from typing import TYPE_CHECKING, NamedTuple

from protsae.core.errors import InputError
from protsae.sae.interchange.dictionary import Activation, DictionaryTensors
from protsae.sae.interchange.states import check_names, read_fields

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

State = dict[str, "Tensor"]
_UNIT = 1e-3  # norms within this of 1 make no difference that float16 weights would not


class Layout(NamedTuple):
    """How one class stores itself."""

    activation: Activation
    names: dict[str, str]
    """Field of a `DictionaryTensors` to the name of its tensor."""
    is_shifted: bool
    """Whether the decoder's bias is taken from the input."""
    others: frozenset[str] = frozenset()
    """Tensors that are numbers: k, sizes of groups, and thresholds that are not used."""
    optional: frozenset[str] = frozenset()
    """Tensors that some versions leave out."""
    has_free_rows: bool = False
    """Whether some revisions multiplied codes by the norms of the decoder rows."""

    @property
    def needed(self) -> frozenset[str]:
        """Tensors that every version has."""
        return frozenset(self.names.values()) | self.others - self.optional

    def fits(self, names: set[str]) -> bool:
        """Return whether a state dict of these names may be of the class."""
        return self.needed <= names <= self.needed | self.optional


def _layers(bias: str, **further: str) -> dict[str, str]:
    """Return the names of a class with linear layers, given that of its decoder's bias."""
    layers = {"W_enc": "encoder.weight", "b_enc": "encoder.bias", "W_dec": "decoder.weight"}
    return {**layers, "b_dec": bias, **further}


_GATES = {"b_enc": "gate_bias", "b_mag": "mag_bias", "r_mag": "r_mag"}
_PARAMETERS = {name: name for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold")}
_K, _THRESHOLD = frozenset({"k"}), frozenset({"threshold"})

CLASSES: dict[str, Layout] = {
    "AutoEncoder": Layout("relu", _layers("bias"), True),
    "AutoEncoderNew": Layout("relu", _layers("decoder.bias"), False),
    "AutoEncoderTopK": Layout("topk", _layers("b_dec"), True, _K, optional=_THRESHOLD | _K),
    "BatchTopKSAE": Layout("batch_topk", _layers("b_dec", threshold="threshold"), True, _K),
    "MatryoshkaBatchTopKSAE": Layout("batch_topk", _PARAMETERS, True, _K | {"group_sizes"}),
    "JumpReluAutoEncoder": Layout("jumprelu", _PARAMETERS, False, has_free_rows=True),
    "JumpReLUSAE": Layout("jumprelu", _layers("decoder.bias", threshold="threshold"), False),
    "GatedAutoEncoder": Layout("gated", _layers("decoder_bias", **_GATES), True, has_free_rows=True),
}
"""By dictionary_learning's name; `JumpReLUSAE` is InterPLM's."""


def read_state(path: "Path", state: State, name: str | None, k: int | None = None) -> DictionaryTensors:
    """Read a state dict.

    Args:
        path: where it comes from, for messages.
        state: tensors by name.
        name: class in `CLASSES`; None: told by the names of the tensors.
        k: latents per token, where the file does not hold it.

    Raises:
        InputError: tensors that the class does not have, or that belong to more than one class; TopK without
            k, or with another k than the one given.
    """
    if name is None:
        fitting = [known for known, layout in CLASSES.items() if layout.fits(set(state))]
        if len(fitting) > 1:
            raise InputError(
                f"{path} may be of class {' or '.join(fitting)}, whose files have the same tensors: "
                "say which by `activation` topk or batch_topk"
            )
        if not fitting:
            raise InputError(f"{path} is of no known class; its tensors are {', '.join(sorted(state))}")
        name = fitting[0]
    layout = CLASSES[name]
    check_names(path, state, layout.needed, layout.optional)
    if layout.activation == "batch_topk" and float(state["threshold"]) < 0:
        raise InputError(
            f"its threshold is {float(state['threshold']):g}: it was never set in training, and without it "
            "BatchTopK's codes depend on the batch"
        )
    stored = int(state["k"]) if "k" in state else None
    if layout.activation == "topk" and stored is None and k is None:
        raise InputError(f"{path} is of class {name} and does not hold k, the latents per token: give `k`")
    if k is not None and stored not in {None, k}:
        raise InputError(f"{path} holds k {stored}, {k} was given: leave out `k`")
    read = DictionaryTensors(
        layout.activation,
        **read_fields(state, layout.names),
        k=stored or k,
        group_sizes=tuple(state["group_sizes"].tolist()) if "group_sizes" in state else None,
        metadata={"class": name},
    )
    norms = read.W_dec.double().norm(dim=1)
    if layout.has_free_rows and bool(((norms - 1).abs() >= _UNIT).any()):
        read = read.with_notes(
            "decoder rows are not of unit norm: codes are those of dictionary_learning 0.1.0; revisions "
            "before it multiplied them by the rows' norms"
        )
    return read.with_input_minus(read.b_dec) if layout.is_shifted else read
