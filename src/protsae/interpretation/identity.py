"""Residue identity: which amino acids, all together, tell a concept best.

Amino acids are ranked by the share of positives among their training residues; how many of them count is
chosen on validation. A motif around a cysteine counts as found where a latent beats "cysteine".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protsae.annotations.spans import span_rows
from protsae.core.pooling import Pooling, n_top
from protsae.interpretation.baselines import N_LETTERS, letter_places
from protsae.interpretation.pairs import Chosen, PairCounts
from protsae.metrics.association import harmonic
from protsae.probing.labelled import LabelledProteins

Ints = NDArray[np.int64]
N_RANKS = N_LETTERS + 1  # the last one for letters that are no standard amino acid


def composition(proteins: LabelledProteins, split: str, pooling: Pooling) -> NDArray[np.float64]:
    """Pool over each protein's residues whether they are each amino acid, then whether any other letter
    [n_proteins, 2 x N_LETTERS]."""
    ids = proteins.ids[split]
    counts, lengths = np.zeros((len(ids), N_RANKS)), np.zeros((len(ids), 1))
    for i, name in enumerate(ids):
        places = letter_places(proteins.letters[name]) % N_RANKS
        counts[i], lengths[i] = np.bincount(places, minlength=N_RANKS), len(places)
    own = counts[:, :N_LETTERS]
    both = np.concatenate([own, lengths - own], axis=1)
    n_pooled = {"mean": lengths, "top": n_top(lengths), "max": 1}[pooling]
    pooled: NDArray[np.float64] = np.minimum(both, n_pooled) / n_pooled
    return pooled


@dataclass(frozen=True)
class LetterCounts:
    """The residues of a split by the rank of their amino acid, protein by protein."""

    inside: Ints
    """[n_proteins, n_concepts, N_RANKS]: residues of the concept."""
    known: Ints
    """The same: labelled residues."""
    hit: Ints
    """The same: instances, by the best rank in them."""

    def pairs(self, n_letters: Ints, *, by_instance: bool) -> PairCounts:
        """Return the counts of the rule "one of the best n amino acids", n for each concept."""
        taken = np.arange(N_RANKS) < n_letters[:, None]
        inside, fired, hit = ((x * taken).sum(axis=2) for x in (self.inside, self.known, self.hit))
        there = (self.hit if by_instance else self.inside).sum(axis=2)
        return PairCounts(inside, fired, hit if by_instance else inside, there)

    def f1(self, *, by_instance: bool) -> NDArray[np.float64]:
        """Return the F1 of the best 1, 2, ... 20 amino acids [N_LETTERS, n_concepts]."""
        inside, fired, hit = (x.sum(axis=0).cumsum(axis=1) for x in (self.inside, self.known, self.hit))
        found = hit if by_instance else inside
        recall = found / np.maximum(found[:, -1:], 1)
        return harmonic(inside / np.maximum(fired, 1), recall).T[:N_LETTERS]


def letter_ranks(proteins: LabelledProteins) -> Ints:
    """Return the rank of each amino acid, from 0, by its share of positives in training
    [n_concepts, N_RANKS]."""
    identity = np.tile(np.arange(N_RANKS), (len(proteins.of_residues), 1))
    counts = count_letters(proteins, "train", identity)
    inside, known = counts.inside.sum(axis=0), counts.known.sum(axis=0)
    rate = (inside / np.maximum(known, 1))[:, :N_LETTERS]
    ranks = identity.copy()
    order = np.argsort(-rate, axis=1, kind="stable")
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(N_LETTERS), order.shape), axis=1)
    return ranks


def count_letters(proteins: LabelledProteins, split: str, ranks: Ints) -> LetterCounts:
    """Count the residues and instances of a split by rank of their amino acids."""
    names, truth = proteins.ids[split], proteins.truth(split)
    n_concepts = len(ranks)
    shape = (len(names), n_concepts, N_RANKS)
    place = letter_places(proteins.letters_of(names)) % N_RANKS  # -1 becomes the last
    protein = np.repeat(np.arange(len(names)), np.diff(truth.first_row))
    by_letter = np.zeros((len(names), N_RANKS), dtype=np.int64)
    np.add.at(by_letter, (protein, place), 1)
    known = np.zeros(shape, dtype=np.int64)
    for concept in range(n_concepts):
        known[:, concept, ranks[concept]] = by_letter * truth.known[:, [concept]]
    inside, hit = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    concept, instance, begin, fresh, end = truth.spans
    rows, which = span_rows(fresh, end)
    np.add.at(inside, (protein[rows], concept[which], ranks[concept[which], place[rows]]), 1)
    rows, which = span_rows(begin, end)
    if len(rows):
        starts = np.flatnonzero(np.diff(instance[which], prepend=-1))
        best = np.minimum.reduceat(ranks[concept[which], place[rows]], starts)
        np.add.at(hit, (protein[rows[starts]], concept[which[starts]], best), 1)
    return LetterCounts(inside, known, hit)


def choose_letters(validation: LetterCounts, *, by_instance: bool) -> Chosen:
    """Choose for each concept how many amino acids count: the fewest on ties; `latent` is that number."""
    f1 = validation.f1(by_instance=by_instance)
    best = Chosen.best(f1, np.zeros(f1.shape), f1, 1)
    return Chosen(best.concept, best.rank, best.latent + 1, best.threshold, best.f1_validation)
