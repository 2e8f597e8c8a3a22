"""Masked batches: tokens back to back, some of them replaced, and the tokens that they replace.

The twenty amino acids are guessed; X, B, Z, U and O are seen, never guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from protsae.core.letters import AMINO_ACIDS
from protsae.plm.tokens import PackedTokens
from protsae.pretraining.config import MaskConfig

if TYPE_CHECKING:
    from esm import ESM2


def choose_residues(sequence: str, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return which residues of a sequence are to be guessed, 0-based, ascending.

    A share of its amino acids, at least one; none where it has none.
    """
    candidates = np.array([i for i, letter in enumerate(sequence) if letter in AMINO_ACIDS], dtype=int)
    if not len(candidates):
        return candidates
    return np.sort(rng.choice(candidates, max(1, round(share * len(candidates))), replace=False))


@dataclass(frozen=True)
class MaskedBatch:
    """Sequences back to back, each as start token, residues, end token."""

    tokens: Tensor
    """What the model sees, int64 [n_tokens]."""
    position: Tensor
    """Position of each token within its own sequence, int64 [n_tokens]."""
    segment: Tensor
    """Which sequence each token belongs to, int64 [n_tokens]."""
    sizes: list[int]
    """Tokens of each sequence."""
    masked_at: Tensor
    """Tokens to guess, ascending, int64 [n_masked]."""
    targets: Tensor
    """What stood there, int64 [n_masked]."""

    def to(self, device: torch.device) -> "MaskedBatch":
        """Return the batch on a device."""
        parts = (self.tokens, self.position, self.segment)
        tokens, position, segment = (part.to(device) for part in parts)
        return MaskedBatch(
            tokens, position, segment, self.sizes, self.masked_at.to(device), self.targets.to(device)
        )


class Masker:
    """Chooses residues and replaces them."""

    def __init__(self, amino_acid_tokens: Sequence[int], mask_token: int) -> None:
        """Take the token ids of `AMINO_ACIDS`, in their order, and that of the mask."""
        self._amino_acids = np.asarray(amino_acid_tokens)
        self._mask = mask_token

    def maskable(self, tokens: np.ndarray) -> np.ndarray:
        """Return which of some tokens are amino acids, bool."""
        return np.isin(tokens, self._amino_acids)

    def draw(self, packed: PackedTokens, config: MaskConfig, rng: np.random.Generator) -> MaskedBatch:
        """Choose each amino acid of a protein with the same probability, and replace it as `config` says.

        A batch in which none was chosen gets one, so that there is something to learn from; a batch without
        amino acids has nothing to guess.
        """
        tokens = packed.tokens.numpy()
        maskable = self.maskable(tokens)
        share: float | np.ndarray = config.mask_probability
        if config.max_mask_probability is not None:
            drawn = rng.uniform(config.mask_probability, config.max_mask_probability, len(packed.sizes))
            share = np.repeat(drawn, packed.sizes)
        chosen = maskable & (rng.random(len(tokens)) < share)
        if not chosen.any() and maskable.any():
            chosen[rng.choice(np.flatnonzero(maskable))] = True
        at = np.flatnonzero(chosen)
        fate = rng.random(len(at))
        random_tokens = rng.choice(self._amino_acids, len(at))
        seen = np.where(fate < config.mask_share, self._mask, tokens[at])
        is_random = (fate >= config.mask_share) & (fate < config.mask_share + config.random_share)
        return self.replace(packed, at, np.where(is_random, random_tokens, seen))

    def hide(self, packed: PackedTokens, at: np.ndarray) -> MaskedBatch:
        """Put the mask token at chosen tokens."""
        return self.replace(packed, at, np.full(len(at), self._mask))

    @staticmethod
    def replace(packed: PackedTokens, at: np.ndarray, seen: np.ndarray) -> MaskedBatch:
        """Put the tokens `seen` where tokens `at` stand; these are to be guessed."""
        masked_at = torch.from_numpy(at)
        tokens = packed.tokens.clone()
        tokens[masked_at] = torch.from_numpy(seen)
        return MaskedBatch(
            tokens=tokens,
            position=packed.position,
            segment=torch.from_numpy(np.repeat(np.arange(len(packed.sizes)), packed.sizes)),
            sizes=packed.sizes,
            masked_at=masked_at,
            targets=packed.tokens[masked_at],
        )


def masker_of(module: "ESM2") -> Masker:
    """Return the masker over a module's vocabulary."""
    return Masker([module.alphabet.get_idx(letter) for letter in AMINO_ACIDS], module.mask_idx)
