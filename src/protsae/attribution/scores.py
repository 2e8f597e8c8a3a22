"""Predictions as functions of the values at a hook point.

A score takes values of n versions of one protein, double [n, length, d_model], and returns n numbers with
gradients.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from protsae.attribution.differentiable import DifferentiableModel, Place
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.core.pooling import Pooling, n_top
from protsae.sae.base import SparseAutoencoder

Score = Callable[[Tensor], Tensor]


def differentiable_copy(sae: SparseAutoencoder) -> Any:
    """Return a copy in double precision whose codes have gradients.

    ProtSAE's defined latents are cut off from the activations in training (`guidance.detach`); what they are
    worth is the same without the cut.
    """
    copy: Any = deepcopy(sae).double().eval().requires_grad_(False)
    guidance = getattr(copy.config, "guidance", None)
    if guidance is not None:
        copy.config = copy.config.model_copy(
            update={"guidance": guidance.model_copy(update={"detach": False})}
        )
    return copy


def predictor_score(sae: SparseAutoencoder, concept_id: str) -> Score:
    """Return the logit of a protein, as ProtSAE's predictor pools it over the residues.

    Raises:
        InputError: the dictionary has no predictor, or does not know the concept.
    """
    index = _index(sae, concept_id)
    if not hasattr(sae, "predictor_logits"):
        raise InputError("this dictionary has no predictor: attribute a latent, or a logit")
    copy = differentiable_copy(sae)

    def score(x: Tensor) -> Tensor:
        rows, segment = x.flatten(0, 1), torch.arange(len(x)).repeat_interleave(x.shape[1])
        found: Tensor = copy.protein_logits(rows, copy.predictor_logits(rows), segment, len(x))
        return found[:, index]

    return score


def latent_score(sae: SparseAutoencoder, latent: int, pooling: Pooling = "mean") -> Score:
    """Return a latent's code, pooled over the residues.

    A code is piecewise smooth: its gradient says nothing of a gate or of TopK that would switch.

    Raises:
        InputError: there is no such latent.
    """
    if not 0 <= latent < sae.config.d_sae:
        raise InputError(
            f"latent {latent} does not exist: the dictionary has latents 0 to {sae.config.d_sae - 1}"
        )
    copy = differentiable_copy(sae)

    def score(x: Tensor) -> Tensor:
        codes: Tensor = copy.encode(x.flatten(0, 1))[:, latent].view(x.shape[:2])
        if pooling == "mean":
            return codes.mean(dim=1)
        return codes.topk(1 if pooling == "max" else n_top(x.shape[1]), dim=1).values.mean(dim=1)

    return score


def logit_score(
    model: DifferentiableModel,
    place: Place,
    positions: Sequence[int],
    letters: str,
    against: str | None = None,
) -> Score:
    """Return how strongly the language model writes letters, mean over positions.

    Args:
        model: the language model.
        place: the protein at the hook point; its positions are masked, if the model is to guess them.
        positions: 0-based.
        letters: one amino acid per position.
        against: others, one per position: the score is the difference of the two logits; None: the
            log-probability among the twenty amino acids.

    Raises:
        InputError: positions and letters that do not fit, or a letter that is no amino acid.
    """
    length = len(place.value) - 2
    texts = [letters] if against is None else [letters, against]
    for text in texts:
        if not positions or len(text) != len(positions):
            raise InputError(
                f"{len(positions)} positions and the letters {text!r}: give one letter per position"
            )
        if unknown := sorted(set(text) - set(AMINO_ACIDS)):
            raise InputError(f"letters {text!r}: {unknown[0]!r} is none of the twenty amino acids")
    if outside := [i for i in positions if not 0 <= i < length]:
        raise InputError(f"position {outside[0] + 1} lies outside the protein of {length} residues")
    at = torch.tensor(list(positions))
    first, *second = (torch.tensor([model.token(letter) for letter in text]) for text in texts)
    alphabet = torch.tensor([model.token(letter) for letter in AMINO_ACIDS])

    def score(x: Tensor) -> Tensor:
        logits = model.logits(place, x)[:, at]
        other = _of(logits, second[0]) if second else torch.logsumexp(logits[:, :, alphabet], dim=2)
        return (_of(logits, first) - other).mean(dim=1)

    return score


def seen_from(model: DifferentiableModel, place: Place, hook_point: str, score: Score) -> Score:
    """Return a score at a later hook point as a function of the values at `place`, such as the embedding."""
    return lambda x: score(model.values(place, x, hook_point))


def _of(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return [n, positions] of logits [n, positions, vocabulary] and tokens [positions]."""
    return logits.gather(2, tokens.expand(len(logits), -1)[:, :, None])[:, :, 0]


def _index(sae: SparseAutoencoder, concept_id: str) -> int:
    from protsae.core.config import unknown_key_message

    if concept_id not in sae.concept_ids:
        raise InputError(unknown_key_message(concept_id, sae.concept_ids, "concept"))
    return sae.concept_ids.index(concept_id)
