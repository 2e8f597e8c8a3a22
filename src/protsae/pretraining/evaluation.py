"""Perplexity of a masked language model on held-out proteins, against the floor that composition alone gives.

Every chosen residue becomes the mask token. Which ones is a pure function of the seed and the sequence, so
that no other protein, and no batch, has a say in a protein's figure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator
from protsae.plm.batching import token_budget_batches
from protsae.plm.tokens import Tokenizer
from protsae.pretraining.batches import crop
from protsae.pretraining.config import PerplexityConfig
from protsae.pretraining.masking import MaskedBatch, choose_residues, masker_of
from protsae.pretraining.model import MaskedForward

if TYPE_CHECKING:
    from esm import ESM2


@dataclass(frozen=True)
class MaskedScores:
    """One row per residue that was guessed."""

    length: np.ndarray
    """Length of its protein before cropping, int64."""
    residue: np.ndarray
    """What stood there: index into `AMINO_ACIDS`, int64."""
    cross_entropy: np.ndarray
    """In nats, over the whole vocabulary, float64."""
    is_right: np.ndarray
    """The likeliest token is the right one, bool."""
    n_proteins: int
    """Proteins with at least one guessed residue."""
    n_cropped: int
    """Of these, cropped."""
    n_without: int
    """Proteins without any of the twenty amino acids within the crop."""


def residue_frequencies(sequences: Sequence[str]) -> np.ndarray:
    """Return the frequencies of `AMINO_ACIDS`, one pseudo-count each; other letters do not count."""
    counts = np.ones(len(AMINO_ACIDS))
    for sequence in sequences:
        counts += [sequence.count(letter) for letter in AMINO_ACIDS]
    frequencies: np.ndarray = counts / counts.sum()
    return frequencies


def draw_proteins(sequences: Sequence[str], max_proteins: int, seed: int) -> list[int]:
    """Return the positions of at most `max_proteins`, drawn without replacement, ascending."""
    if len(sequences) <= max_proteins:
        return list(range(len(sequences)))
    rng = numpy_generator(seed, "perplexity", "proteins")
    return sorted(rng.choice(len(sequences), max_proteins, replace=False).tolist())


def masked_scores(
    module: "ESM2", sequences: Sequence[str], config: PerplexityConfig, device: torch.device
) -> MaskedScores:
    """Let a model guess masked residues.

    Args:
        module: fair-esm's module, on `device`.
        sequences: residues of each protein; all are judged.
        config: what is masked and cropped.
        device: where to compute.
    """
    tokenizer, masker = Tokenizer(module.alphabet), masker_of(module)
    forward = MaskedForward(module)
    crops, chosen = _choose(sequences, config)
    kept = [i for i, at in enumerate(chosen) if len(at)]
    parts: list[tuple[np.ndarray, ...]] = [
        (np.empty(0, int), np.empty(0, int), np.empty(0), np.empty(0, bool))
    ]
    for members in token_budget_batches([len(crops[i]) for i in kept], config.tokens_per_batch):
        batch = [kept[m] for m in members]
        packed = tokenizer.pack([crops[i] for i in batch])
        starts = np.cumsum([0, *packed.sizes[:-1]]) + 1  # after each start token
        at = np.concatenate([start + chosen[i] for start, i in zip(starts, batch, strict=True)])
        lengths = np.repeat([len(sequences[i]) for i in batch], [len(chosen[i]) for i in batch])
        parts.append((lengths, *_guess(forward, masker.hide(packed, at).to(device))))
    length, token, loss, right = map(np.concatenate, zip(*parts, strict=True))
    letters = {module.alphabet.get_idx(letter): i for i, letter in enumerate(AMINO_ACIDS)}
    residue = np.array([letters[t] for t in token.tolist()], dtype=int)
    n_cropped = sum(len(crops[i]) < len(sequences[i]) for i in kept)
    return MaskedScores(length, residue, loss, right, len(kept), n_cropped, len(sequences) - len(kept))


def _guess(forward: MaskedForward, batch: MaskedBatch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the hidden tokens, their cross-entropies and whether each was the likeliest, [n_masked]."""
    with torch.no_grad():
        logits = forward(batch).float()
        loss = functional.cross_entropy(logits, batch.targets, reduction="none").double()
        right = logits.argmax(dim=1) == batch.targets
    return batch.targets.cpu().numpy(), loss.cpu().numpy(), right.cpu().numpy()


def _choose(sequences: Sequence[str], config: PerplexityConfig) -> tuple[list[str], list[np.ndarray]]:
    """Return the crops and, within each, the 0-based residues to guess, ascending."""
    crops, chosen = [], []
    for sequence in sequences:
        rng = numpy_generator(config.seed, "perplexity", sequence)
        crops.append(crop(sequence, config.max_residues, rng))
        chosen.append(choose_residues(crops[-1], config.mask_probability, rng))
    return crops, chosen


def summarise(scores: MaskedScores, frequencies: np.ndarray, length_bands: Sequence[int]) -> dict[str, Any]:
    """Return perplexities against the floor: over all, by length of the protein and by amino acid.

    Args:
        scores: guessed residues.
        frequencies: of the training proteins (`residue_frequencies`); the floor guesses these everywhere.
        length_bands: upper ends of the bands, ascending.
    """
    floor = -np.log(frequencies)[scores.residue]
    bands = np.searchsorted(np.asarray(length_bands), scores.length)
    edges = zip([0, *length_bands], [*length_bands, None], strict=True)
    by_length = [
        {"from": below + 1, "to": upper, **_figures(scores, floor, bands == i)}
        for i, (below, upper) in enumerate(edges)
    ]
    by_residue = [
        {"residue": letter, **_figures(scores, floor, scores.residue == i)}
        for i, letter in enumerate(AMINO_ACIDS)
    ]
    return {
        "n_proteins": scores.n_proteins,
        "n_cropped": scores.n_cropped,
        "n_without_amino_acids": scores.n_without,
        **_figures(scores, floor, np.ones(len(floor), dtype=bool)),
        "by_length": by_length,
        "by_residue": by_residue,
    }


def _figures(scores: MaskedScores, floor: np.ndarray, rows: np.ndarray) -> dict[str, Any]:
    n = int(rows.sum())
    if not n:
        return {"n_residues": 0}
    entropy, floor_entropy = float(scores.cross_entropy[rows].mean()), float(floor[rows].mean())
    return {
        "n_residues": n,
        "cross_entropy": entropy,
        "perplexity": math.exp(entropy),
        "floor_cross_entropy": floor_entropy,
        "floor_perplexity": math.exp(floor_entropy),
        "accuracy": float(scores.is_right[rows].mean()),
    }


def validation_terms(
    module: "ESM2", sequences: Sequence[str], config: PerplexityConfig, device: torch.device
) -> dict[str, float]:
    """Return what the trainer logs and chooses by: `loss/mlm`, `perplexity`, `accuracy`.

    Raises:
        InputError: there is no residue to guess.
    """
    scores = masked_scores(module, sequences, config, device)
    if not scores.n_proteins:
        raise InputError(
            "no validation protein holds any of the twenty amino acids: there is nothing to guess"
        )
    loss = float(scores.cross_entropy.mean())
    return {"loss/mlm": loss, "perplexity": math.exp(loss), "accuracy": float(scores.is_right.mean())}
