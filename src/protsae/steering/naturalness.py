"""How natural sequences are to a language model that did not write them."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from protsae.core.letters import AMINO_ACIDS, character_codes, code_table
from protsae.plm.batching import token_budget_batches
from protsae.steering.decoding import Decoder

_NUMBER = code_table(AMINO_ACIDS, other=-1)


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
