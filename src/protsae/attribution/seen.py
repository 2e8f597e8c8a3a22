"""Probabilities of a prediction where a language model sees a part of a protein and the rest is masked."""

from collections.abc import Sequence

import numpy as np
import torch

from protsae.attribution.regions import Bools, Floats, SeenScore
from protsae.attribution.scores import Score
from protsae.core.letters import AMINO_ACIDS
from protsae.plm.checkpoint import PlmModel
from protsae.plm.forward import Esm2Forward

_TOKENS_PER_BATCH = 8192


def concept_seen(model: PlmModel, sequence: str, hook_point: str, score: Score) -> SeenScore:
    """Return the logistic function of a score of the values at a hook point, such as a predictor's logit.

    Args:
        model: the language model.
        sequence: the protein.
        hook_point: where the score reads.
        score: see `scores`.
    """
    forward = Esm2Forward(model, [hook_point])

    def seen(kept: Bools) -> Floats:
        found = []
        for rows in _batches(kept):
            masked = torch.from_numpy(~rows.reshape(-1))
            values = forward.run([sequence] * len(rows), masked=masked)[hook_point]
            with torch.no_grad():
                found.append(torch.sigmoid(score(values.double().view(len(rows), len(sequence), -1))))
        return torch.cat(found).numpy()

    return seen


def residues_seen(model: PlmModel, sequence: str, positions: Sequence[int], letters: str) -> SeenScore:
    """Return the mean probability among the twenty amino acids of letters at positions, which are never seen.

    Args:
        model: the language model.
        sequence: the protein.
        positions: 0-based.
        letters: one amino acid per position.
    """
    forward = Esm2Forward(model, [])
    alphabet = model.module.alphabet
    tokens = torch.tensor([alphabet.get_idx(letter) for letter in AMINO_ACIDS])
    columns = torch.tensor([AMINO_ACIDS.index(letter) for letter in letters])
    at = np.zeros(len(sequence), dtype=bool)
    at[list(positions)] = True
    order = torch.from_numpy(np.argsort(np.argsort(positions)))

    def seen(kept: Bools) -> Floats:
        found = []
        for rows in _batches(kept & ~at):
            masked = torch.from_numpy(~rows.reshape(-1))
            paused = forward.run_to([sequence] * len(rows), "layers.0.resid_pre", masked)
            logits = forward.finish(paused, at=torch.from_numpy(np.tile(at, len(rows))))
            chances = torch.softmax(logits[:, tokens].double(), dim=1).view(len(rows), len(positions), -1)
            own = chances[:, order].gather(2, columns.expand(len(rows), -1)[:, :, None])
            found.append(own[:, :, 0].mean(dim=1))
        return torch.cat(found).numpy()

    return seen


def _batches(kept: Bools) -> list[Bools]:
    n = max(1, _TOKENS_PER_BATCH // (kept.shape[1] + 2))
    return [kept[i : i + n] for i in range(0, len(kept), n)]
