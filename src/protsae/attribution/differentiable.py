"""A forward pass of ESM-2 through which gradients flow, in double precision, for one protein at a time.

It walks over fair-esm's own modules from hook point to hook point. `plm.forward` is faster and has no
gradients.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from protsae.core.errors import InputError
from protsae.plm.checkpoint import PlmModel
from protsae.plm.hook_points import FINAL_NORM, LAYER_KINDS, HookPoint, parse_hook_point
from protsae.plm.tokens import Tokenizer

EMBEDDING = "layers.0.resid_pre"
"""The hook point where a sequence enters."""


@dataclass(frozen=True)
class Place:
    """A protein that was run to a hook point."""

    point: HookPoint
    value: Tensor
    """Values there, start and end token included [length + 2, 1, d_model]."""
    stream: Tensor
    """The residual stream that values of `attn_out` and `mlp_out` are added to, likewise."""

    @property
    def values(self) -> Tensor:
        """Values of the residues [length, d_model]."""
        return self.value[1:-1, 0]


class DifferentiableModel:
    """A copy of a language model in double precision."""

    def __init__(self, model: PlmModel) -> None:
        """Copy the weights of `model`."""
        self._module: Any = deepcopy(model.module).double().eval().requires_grad_(False)
        for layer in self._module.layers:
            layer.self_attn.rot_emb._seq_len_cached = None  # its tables may be those of single precision
        self._tokenizer = Tokenizer(model.module.alphabet)
        self._n_layers = model.n_layers
        points = [HookPoint(kind, i) for i in range(model.n_layers) for kind in LAYER_KINDS]
        self._points = [*points, HookPoint(FINAL_NORM)]

    def place(self, sequence: str, hook_point: str, masked: Tensor | None = None) -> Place:
        """Run a protein to a hook point, without gradients.

        Args:
            sequence: residues.
            hook_point: where to stop.
            masked: bool [length]: residues in whose place the model sees the mask token.

        Raises:
            InputError: an empty sequence, a letter that is no residue, a mask that does not fit, or an
                unknown hook point.
        """
        packed = self._tokenizer.pack([sequence])
        if masked is not None:
            packed = packed.masked(masked, int(self._module.mask_idx))
        with torch.no_grad():
            x = self._embed(packed.tokens)[:, None]
            point = parse_hook_point(hook_point, self._n_layers)
            return Place(point, *self._walk(x, x, self._points[0], point))

    def values(self, place: Place, values: Tensor, hook_point: str) -> Tensor:
        """Return what arrives at a later hook point [n, length, d_model] with other values of the residues at
        `place`.

        Args:
            place: where they are replaced; start and end token stay as they are.
            values: double [n, length, d_model]: n versions of the protein.
            hook_point: where to stop.

        Raises:
            InputError: values that do not fit, or a hook point that lies before `place`.
        """
        stop = parse_hook_point(hook_point, self._n_layers)
        if self._points.index(stop) < self._points.index(place.point):
            raise InputError(
                f"hook point {stop} lies before {place.point}: what changes here does not reach it"
            )
        stream, value = self._filled(place, values)
        return self._walk(value, stream, place.point, stop)[0][1:-1].transpose(0, 1)

    def logits(self, place: Place, values: Tensor) -> Tensor:
        """Return the logits of the residues [n, length, size of the vocabulary], as `values` does."""
        found: Tensor = self._module.lm_head(self.values(place, values, FINAL_NORM))
        return found

    def token(self, letter: str) -> int:
        """Return the number of an amino acid in the vocabulary."""
        return int(self._module.alphabet.get_idx(letter))

    def _filled(self, place: Place, values: Tensor) -> tuple[Tensor, Tensor]:
        shape = (len(values), len(place.value) - 2, place.value.shape[2])
        if values.shape != shape:
            raise InputError(
                f"values at {place.point} are {list(values.shape)}; they have to be {list(shape)}"
            )
        ends = [place.value[i].expand(1, len(values), -1) for i in (slice(0, 1), slice(-1, None))]
        value = torch.cat([ends[0], values.transpose(0, 1), ends[1]])
        return place.stream.expand_as(value), value

    def _embed(self, tokens: Tensor) -> Tensor:
        """Return the embedding [n_tokens, d_model], scaled as fair-esm's token dropout scales it."""
        module = self._module
        x: Tensor = module.embed_tokens(tokens)
        if not module.token_dropout:
            return x
        is_mask = tokens == module.mask_idx
        trained = 1 - 0.15 * 0.8  # ESM-2 was trained with this share of tokens seen
        scaled: Tensor = x.masked_fill(is_mask[:, None], 0.0) * trained / (1 - is_mask.double().mean())
        return scaled

    def _walk(
        self, value: Tensor, stream: Tensor, start: HookPoint, stop: HookPoint
    ) -> tuple[Tensor, Tensor]:
        """Return value and stream at `stop`, from those at `start`, all [n_tokens, n, d_model]."""
        for point in self._points[self._points.index(start) : self._points.index(stop)]:
            layer = self._module.layers[point.layer]
            if point.kind == "resid_pre":
                normed = layer.self_attn_layer_norm(value)
                stream, value = value, _attention(layer.self_attn, normed)
            elif point.kind == "resid_mid":
                normed = layer.final_layer_norm(value)
                stream, value = value, layer.fc2(_gelu(layer.fc1(normed)))
            elif point.kind != "resid_post":
                value = stream + value
            elif point.layer == self._n_layers - 1:
                value = self._module.emb_layer_norm_after(value)
        return value, stream


def _attention(module: Any, x: Tensor) -> Tensor:
    """Return what attention adds to x [n_tokens, n, d_model]; fair-esm's own softmax is in single
    precision."""
    heads = (len(x), x.shape[1] * module.num_heads, module.head_dim)
    q, k, v = (
        part(x).reshape(heads).transpose(0, 1) for part in (module.q_proj, module.k_proj, module.v_proj)
    )
    q, k = module.rot_emb(q * module.scaling, k)
    mixed = torch.softmax(q @ k.transpose(1, 2), dim=-1) @ v
    found: Tensor = module.out_proj(mixed.transpose(0, 1).reshape(x.shape))
    return found


def _gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / 2**0.5))
