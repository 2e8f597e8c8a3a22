"""How natural sequences are: to a language model that did not write them, and by their composition."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from protsae.core.letters import AMINO_ACIDS, character_codes, code_table
from protsae.plm.batching import token_budget_batches
from protsae.steering.decoding import Decoder

_NUMBER = code_table(AMINO_ACIDS, other=-1)
Floats = NDArray[np.float64]


def composition(sequences: Sequence[str]) -> Floats:
    """Return the shares of the standard amino acids in each sequence [n_sequences, 20]."""
    counts = [
        np.bincount(number[number >= 0], minlength=len(AMINO_ACIDS))
        for number in (_NUMBER[character_codes(sequence)].astype(np.int64) for sequence in sequences)
    ]
    found: Floats = np.array(counts) / np.maximum(1, np.sum(counts, axis=1, keepdims=True))
    return found


def composition_distance(sequences: Sequence[str], background: Floats) -> Floats:
    """Return the Jensen-Shannon distance of each sequence's composition from a background, from 0 to 1.

    Args:
        sequences: what is judged.
        background: shares of the amino acids [20], such as the mean of natural proteins.
    """
    from scipy.spatial.distance import jensenshannon

    found: Floats = jensenshannon(composition(sequences), background[None], base=2, axis=1)
    return found


def frechet_distance(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> float:
    """Return the Frechet distance of two samples of embeddings, as if both were normal (Heusel et al. 2017):
    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)). Small samples raise it.

    Args:
        a: embeddings [n_a, d].
        b: embeddings [n_b, d].
    """
    covariance = [np.cov(x.astype(np.float64), rowvar=False) for x in (a, b)]
    # The eigenvalues of a product of two positive semidefinite matrices are real and not negative.
    roots = np.sqrt(np.maximum(np.linalg.eigvals(covariance[0] @ covariance[1]).real, 0.0))
    moved = a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)
    return float(moved @ moved + np.trace(covariance[0]) + np.trace(covariance[1]) - 2 * roots.sum())


def pseudo_perplexity(
    decoder: Decoder, sequences: Sequence[str], *, n_passes: int = 8, tokens_per_batch: int = 1024
) -> NDArray[np.float64]:
    """Return exp of the mean negative log-probability of each sequence's amino acids, each while masked.

    In pass i every `n_passes`th residue from the ith on is masked, so that each is masked once. With as many
    passes as residues it is the pseudo-perplexity of Salazar et al. (2020), one residue at a time.

    Args:
        decoder: of the model that judges.
        sequences: what is judged; letters that are no standard amino acid do not count.
        n_passes: how many times the model runs.
        tokens_per_batch: token budget of a batch.

    Returns:
        [n_sequences]; NaN where no letter counts.
    """
    sums, counts = np.zeros((2, len(sequences)))
    for members in token_budget_batches([len(sequence) for sequence in sequences], tokens_per_batch):
        batch = [sequences[i] for i in members]
        owner = np.repeat(members, [len(sequence) for sequence in batch])
        place = np.concatenate([np.arange(len(sequence)) for sequence in batch])
        number = _NUMBER[character_codes("".join(batch))]
        for start in range(n_passes):
            masked = place % n_passes == start
            if not masked.any():
                break
            found = decoder.log_probabilities(batch, torch.from_numpy(masked))
            letters = number[masked]
            known = letters >= 0
            of, values = owner[masked][known], found[known, letters[known]]
            sums += np.bincount(of, values, minlength=len(sums))
            counts += np.bincount(of, minlength=len(counts))
    return np.exp(-np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0))
