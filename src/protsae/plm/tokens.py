"""Residues to ESM-2 tokens, packed back to back without padding."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from protsae.core.errors import InputError
from protsae.core.letters import character_codes, code_table
from protsae.plm.batching import SPECIAL_TOKENS
from protsae.plm.residues import RESIDUES, check_residues

if TYPE_CHECKING:
    from esm import Alphabet


@dataclass(frozen=True)
class PackedTokens:
    """Sequences back to back, each as start token, residues, end token."""

    tokens: torch.Tensor
    """Token ids, int64 [n_tokens]."""
    position: torch.Tensor
    """Position of each token within its own sequence, int64 [n_tokens]."""
    is_residue: torch.Tensor
    """False for start and end tokens, bool [n_tokens]."""
    sizes: list[int]
    """Tokens of each sequence."""

    def masked(self, residues: torch.Tensor, mask_token: int) -> "PackedTokens":
        """Return the same with the mask token at some residues.

        Args:
            residues: bool [n_residues], in the order of the sequences.
            mask_token: what stands there instead.

        Raises:
            InputError: `residues` is not bool, or not one per residue.
        """
        places = self.is_residue.nonzero().flatten()
        if residues.dtype != torch.bool or residues.shape != places.shape:
            raise InputError(
                f"masked is {residues.dtype} {list(residues.shape)}; it has to be bool [{len(places)}], one "
                "per residue of the run"
            )
        tokens = self.tokens.clone()
        tokens[places[residues]] = mask_token
        return replace(self, tokens=tokens)


class Tokenizer:
    """Turns sequences into packed tokens."""

    def __init__(self, alphabet: "Alphabet") -> None:
        """Take the vocabulary of fair-esm's `alphabet`."""
        token_ids = np.array([alphabet.get_idx(letter) for letter in RESIDUES])
        self._ids = token_ids[code_table(RESIDUES, other=0)]
        self._start, self._end = alphabet.cls_idx, alphabet.eos_idx

    def pack(self, sequences: Sequence[str]) -> PackedTokens:
        """Tokenize `sequences`.

        Raises:
            InputError: an empty sequence, or a letter that is no residue, with its 1-based position.
        """
        sizes = [len(sequence) + SPECIAL_TOKENS for sequence in sequences]
        ends = np.cumsum(sizes)
        starts = ends - sizes
        tokens = np.empty(ends[-1], dtype=np.int64)
        for sequence, start, end in zip(sequences, starts, ends, strict=True):
            tokens[start + 1 : end - 1] = self._residue_ids(sequence)
        is_residue = np.ones(len(tokens), dtype=bool)
        for at, token in ((starts, self._start), (ends - 1, self._end)):
            tokens[at] = token
            is_residue[at] = False
        return PackedTokens(
            tokens=torch.from_numpy(tokens),
            position=torch.from_numpy(np.arange(len(tokens)) - np.repeat(starts, sizes)),
            is_residue=torch.from_numpy(is_residue),
            sizes=sizes,
        )

    def _residue_ids(self, sequence: str) -> np.ndarray:
        check_residues(sequence, "a sequence")
        ids: np.ndarray = self._ids[character_codes(sequence)]
        return ids
