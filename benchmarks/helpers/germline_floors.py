"""Floors of perplexity of antibodies: what frequencies, positions and germline genes say of residues."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from esm import ESM2
from numpy.typing import NDArray

from helpers.antibodies import NAMES, Antibody
from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator
from protsae.pretraining.config import PerplexityConfig
from protsae.pretraining.evaluation import masked_scores, residue_frequencies
from protsae.pretraining.masking import choose_residues

Floats = NDArray[np.float64]


class GermlineFloors:
    """Three ways to guess residues of antibodies.

    Args:
        train: antibodies that everything is counted on.
        alleles: germline V genes.
    """

    def __init__(self, train: Sequence[Antibody], alleles: Mapping[str, str]) -> None:
        self._train, self._alleles = train, alleles
        self.frequencies = residue_frequencies([antibody.sequence for antibody in train])

    def guess(self, antibody: Antibody) -> dict[str, Floats]:
        """Return cross-entropies in nats of the residues of an antibody, by floor [length].

        `residue_frequencies`; `position_frequencies`: of the same region at the same offset, with one
        pseudo-count spread by the former; `germline`: 1 - e for the residue of the germline V allele (FR1 to
        FR3) or of the consensus of the J allele (FR4), the rest spread by residue frequencies, and by
        position where neither is known, such as in CDR3. e is the region's share of training residues that
        differ.
        """
        letters = np.array([AMINO_ACIDS.index(letter) for letter in antibody.sequence])
        places, expected = _places(antibody), self._expected(antibody)
        nothing = np.zeros(len(AMINO_ACIDS))
        counts = np.stack([self._counts.get(place, nothing) for place in places])
        by_position = (counts + self.frequencies) / (counts.sum(axis=1, keepdims=True) + 1)
        own = by_position[np.arange(len(letters)), letters]
        germline = own.copy()
        for i, ((region, _), letter) in enumerate(zip(places, expected, strict=True)):
            if letter:
                rate, is_it = self.mutated[region], letter == antibody.sequence[i]
                others = 1 - self.frequencies[AMINO_ACIDS.index(letter)]
                germline[i] = 1 - rate if is_it else rate * self.frequencies[letters[i]] / others
        found = {
            "residue_frequencies": self.frequencies[letters],
            "position_frequencies": own,
            "germline": germline,
        }
        return {name: -np.log(values) for name, values in found.items()}

    @cached_property
    def mutated(self) -> dict[str, float]:
        """Region to the share of training residues that differ from the germline, one pseudo-count each."""
        counts = dict.fromkeys(NAMES, (1, 2))
        for antibody in self._train:
            pairs = zip(_places(antibody), self._expected(antibody), antibody.sequence, strict=True)
            for (region, _), letter, residue in pairs:
                if letter:
                    differs, n = counts[region]
                    counts[region] = differs + (letter != residue), n + 1
        return {region: differs / n for region, (differs, n) in counts.items() if n > 2}

    @cached_property
    def _counts(self) -> dict[tuple[str, int], Floats]:
        """Region and offset to how often training has each of `AMINO_ACIDS` there."""
        found: dict[tuple[str, int], Floats] = defaultdict(lambda: np.zeros(len(AMINO_ACIDS)))
        for antibody in self._train:
            for place, letter in zip(_places(antibody), antibody.sequence, strict=True):
                found[place][AMINO_ACIDS.index(letter)] += 1
        return dict(found)

    @cached_property
    def _consensus(self) -> dict[str, str]:
        """J allele to the commonest FR4 of training antibodies without mutations; the first on ties."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for antibody in self._train:
            if not antibody.n_mutations:
                found[antibody.j_call][antibody.sequence[antibody.region("FR4")]] += 1
        return {call: counts.most_common(1)[0][0] for call, counts in found.items()}

    def _expected(self, antibody: Antibody) -> list[str]:
        """Return the residue of the genes at each position; empty where not known [length]."""
        found = [""] * len(antibody.sequence)
        germline = antibody.germline(self._alleles) or ""
        found[: len(germline)] = germline
        at = antibody.region("FR4")
        consensus = self._consensus.get(antibody.j_call, "")[: at.stop - at.start]
        found[at.start : at.start + len(consensus)] = consensus
        return found


def _places(antibody: Antibody) -> list[tuple[str, int]]:
    """Return region and offset from its start of each residue."""
    pairs = ((name, antibody.region(name)) for name in NAMES)
    return [(name, offset) for name, at in pairs for offset in range(at.stop - at.start)]


def masked_guesses(
    module: ESM2, floors: GermlineFloors, antibodies: Sequence[Antibody], config: PerplexityConfig
) -> tuple[list[str], dict[str, Floats]]:
    """Let a language model and the floors guess the same masked residues.

    Args:
        module: fair-esm's module of the language model.
        floors: fitted on training antibodies.
        antibodies: those that are judged, not longer than `max_residues`.
        config: which residues are masked.

    Returns:
        Region of each masked residue, and method to its cross-entropies in nats [n_masked].
    """
    regions: list[str] = []
    found: dict[str, list[Floats]] = defaultdict(list)
    for antibody in antibodies:
        sequence = antibody.sequence
        rng = numpy_generator(config.seed, "perplexity", sequence)  # as `masked_scores` draws them
        at = choose_residues(sequence, config.mask_probability, rng)
        scores = masked_scores(module, [sequence], config, torch.device("cpu"))
        if [AMINO_ACIDS[letter] for letter in scores.residue] != [sequence[i] for i in at]:
            raise ValueError("masked_scores has masked other residues")
        places = _places(antibody)
        regions += [places[i][0] for i in at]
        found["language_model"].append(scores.cross_entropy)
        for name, values in floors.guess(antibody).items():
            found[name].append(values[at])
    return regions, {name: np.concatenate(parts) for name, parts in found.items()}
