"""A sparse dictionary as plain tensors: what every layout is read into and written from.

With `v = norm(x)`, raw activations normalised token by token or not at all:

- `relu`: `codes = ReLU(v W_enc + b_enc)`;
- `topk`: the k largest of those per token;
- `jumprelu`, `batch_topk`: those whose pre-activation exceeds `threshold` (one number for `batch_topk`);
- `gated`: `(v W_enc + b_enc > 0) * ReLU(exp(r_mag) * (v W_enc) + b_mag)`;

and `x̂ = norm⁻¹(codes W_dec + b_dec)`. Folding is done in float64 and rounded once.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from protsae.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Activation = Literal["relu", "topk", "jumprelu", "batch_topk", "gated"]
TokenNorm = Literal["none", "layer_norm", "sqrt_d"]


@dataclass(frozen=True)
class DictionaryTensors:
    """Tensors of one dtype, and what they are of."""

    activation: Activation
    W_enc: "Tensor"
    """[d_model, d_sae]."""
    b_enc: "Tensor"
    """[d_sae]; of `gated`, the gate's."""
    W_dec: "Tensor"
    """[d_sae, d_model]."""
    b_dec: "Tensor"
    """[d_model]."""
    k: int | None = None
    """Latents per token: of `topk`; of `batch_topk` on average."""
    threshold: "Tensor | None" = None
    """[d_sae], not negative: of `jumprelu` and `batch_topk`."""
    b_mag: "Tensor | None" = None
    """[d_sae]: of `gated`."""
    r_mag: "Tensor | None" = None
    """[d_sae], logarithmic: of `gated`."""
    group_sizes: tuple[int, ...] | None = None
    """Latents by which each prefix is longer than the one before: of a `batch_topk` trained as Matryoshka."""
    input_norm: TokenNorm = "none"
    """`layer_norm`: (x - mean) / (std + 1e-5) over the token's values, std unbiased, undone without the 1e-5.
    `sqrt_d`: x sqrt(d_model) / ‖x‖."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """JSON values: what the file says of its origin."""
    notes: tuple[str, ...] = ()
    """What was assumed or left out in the conversion, as text."""

    def __post_init__(self) -> None:
        """Check shapes and values.

        Raises:
            InputError: a tensor of another shape than the others ask for, or with values that are not finite.
        """
        d_model, d_sae = self.d_model, self.d_sae
        shapes = {
            "W_enc": (d_model, d_sae),
            "b_enc": (d_sae,),
            "W_dec": (d_sae, d_model),
            "b_dec": (d_model,),
            "threshold": (d_sae,),
            "b_mag": (d_sae,),
            "r_mag": (d_sae,),
        }
        for name, shape in shapes.items():
            tensor = getattr(self, name)
            if tensor is None:
                continue
            if tuple(tensor.shape) != shape:
                raise InputError(f"{name} has shape {list(tensor.shape)}, W_enc asks for {list(shape)}")
            if not bool(tensor.isfinite().all()):
                raise InputError(f"{name} holds values that are not finite")
        needed = {"jumprelu": ("threshold",), "batch_topk": ("threshold", "k"), "gated": ("b_mag", "r_mag")}
        assert all(getattr(self, name) is not None for name in needed.get(self.activation, ()))
        if self.activation == "topk" and not (self.k and 0 < self.k <= d_sae):
            raise InputError(f"k {self.k} of {d_sae} latents: TopK needs one between 1 and their number")

    @property
    def d_model(self) -> int:
        """Width of the activations."""
        return int(self.W_enc.shape[0])

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return int(self.W_enc.shape[1])

    def with_input_minus(self, offset: "Tensor") -> "DictionaryTensors":
        """Return the dictionary that does to v what this one does to v - offset, and decodes as this one."""
        shift = offset.double() @ self.W_enc.double()
        b_mag = self.b_mag
        if b_mag is not None and self.r_mag is not None:
            b_mag = (b_mag.double() - self.r_mag.double().exp() * shift).to(b_mag.dtype)
        return replace(self, b_enc=(self.b_enc.double() - shift).to(self.b_enc.dtype), b_mag=b_mag)

    def on_raw_input(self, mean: "Tensor", scale: float) -> "DictionaryTensors":
        """Return the dictionary over x of this one over `(x - mean) * scale`. Codes stay the same.

        Args:
            mean: [d_model].
            scale: positive.
        """
        dtype = self.W_enc.dtype
        wide = replace(self, W_enc=self.W_enc.double() * scale).with_input_minus(mean)
        return replace(
            wide,
            W_enc=wide.W_enc.to(dtype),
            W_dec=(self.W_dec.double() / scale).to(dtype),
            b_dec=(self.b_dec.double() / scale + mean.double()).to(dtype),
        )

    def with_codes_times(self, factor: "Tensor") -> "DictionaryTensors":
        """Return the dictionary whose codes are this one's times `factor`; reconstructions stay the same.

        Args:
            factor: [d_sae], positive.

        Raises:
            InputError: TopK with factors that differ: the latents with the largest codes would change.
        """
        if self.activation == "topk" and not bool((factor == factor[0]).all()):
            raise InputError(
                "TopK picks the largest codes: with a factor of its own for each latent it would pick "
                "others. Take the codes as they are, and multiply them afterwards"
            )
        wide = factor.double()

        def times(tensor: "Tensor") -> "Tensor":
            return (tensor.double() * wide).to(tensor.dtype)

        changed = replace(self, W_dec=(self.W_dec.double() / wide.unsqueeze(1)).to(self.W_dec.dtype))
        if self.r_mag is not None and self.b_mag is not None:  # the gate is a sign: its scale is free
            r_mag = (self.r_mag.double() + wide.log()).to(self.r_mag.dtype)
            return replace(changed, r_mag=r_mag, b_mag=times(self.b_mag))
        threshold = None if self.threshold is None else times(self.threshold)
        changed = replace(changed, W_enc=times(self.W_enc), b_enc=times(self.b_enc), threshold=threshold)
        if self.activation == "batch_topk" and bool((factor != factor[0]).any()):  # no longer one threshold
            return replace(changed, activation="jumprelu", k=None, group_sizes=None)
        return changed

    def with_notes(self, *notes: str) -> "DictionaryTensors":
        """Return the same with further notes."""
        return replace(self, notes=(*self.notes, *notes))
