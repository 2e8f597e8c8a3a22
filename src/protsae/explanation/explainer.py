"""Explanations by rules: chosen on validation proteins, scored on test proteins.

Validation proteins are parted by their homology clusters. On one half, together with the training proteins
whose codes are stored, the conditions are made: amino acids, motif, place. On the other half is decided which
of them a rule has. Labels of training proteins are not read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from protsae.core.files import sha256_text
from protsae.core.seeding import numpy_generator
from protsae.encoding.codes import CodeStore
from protsae.explanation.config import ExplanationConfig
from protsae.explanation.evidence import (
    Agreement,
    Confidence,
    Evidence,
    ordered,
    own_agreements,
    protein_agreements,
    residue_agreements,
)
from protsae.explanation.panel import Floats, Panel, largest_activations, read_panel
from protsae.explanation.rules import (
    Concept,
    Condition,
    Motif,
    Rule,
    letters_of,
    motifs_of,
    place_of,
    truth_table,
)
from protsae.explanation.scoring import ThreeScores, answers_of, detection_and_fuzzing, score_rule
from protsae.explanation.windows import Windows, draw_windows, peaks
from protsae.probing.labelled import LabelledProteins

_NOT_SCORED = ThreeScores(float("nan"), float("nan"), float("nan"))
_NOTHING = _NOT_SCORED, _NOT_SCORED, 0


@dataclass(frozen=True)
class Explained:
    """An explanation, and what it is worth."""

    evidence: Evidence
    validation: ThreeScores
    validation_floor: ThreeScores
    test: ThreeScores
    floor: ThreeScores
    """Of the explanations of other latents."""
    n_scored: int
    """Firing windows per draw on test, and as many silent ones; 0: not scored."""

    def confidence(self, config: ExplanationConfig) -> Confidence:
        """Return how far the rule was above the floor on validation; low where it was not tried."""
        margin = self.validation.overall - self.validation_floor.overall
        if not self.evidence.rule.conditions or not margin >= config.medium:
            return "low"
        return "high" if margin >= config.high else "medium"


@dataclass(frozen=True)
class Explainer:
    """Explains the latents of a dictionary."""

    codes: CodeStore
    latents: pd.DataFrame
    """The table of latents, or of cards: what it lacks is not evidence."""
    proteins: LabelledProteins
    config: ExplanationConfig

    def explain(self) -> list[Explained]:
        """Explain every latent, and score every explanation."""
        found = {latent: self._evidence(latent) for latent in self.latents["latent"].tolist()}
        rules = {latent: evidence.rule for latent, evidence in found.items() if evidence.rule.conditions}
        validation = self._scores(self.choosing, "choose", rules, found)
        test = self._scores(self.test, "test", rules, found)
        explained = []
        for latent, evidence in found.items():
            chosen, chosen_floor, _ = validation.get(latent, _NOTHING)
            scores, floor, n_scored = test.get(latent, _NOTHING)
            explained.append(Explained(evidence, chosen, chosen_floor, scores, floor, n_scored))
        return explained

    @cached_property
    def halves(self) -> tuple[list[str], list[str]]:
        """Validation proteins by their clusters: those conditions are made on, and those rules are chosen
        on."""
        parts: tuple[list[str], list[str]] = ([], [])
        for name in self.proteins.ids["validation"]:
            digest = sha256_text("explanation", str(self.config.seed), self.proteins.clusters[name])
            parts[int(digest[:8], 16) % 2].append(name)
        return parts

    @cached_property
    def cut(self) -> Floats:
        """The least activation that counts as firing [n_latents]."""
        largest = largest_activations(self.codes, self.proteins.ids["validation"])
        return np.where(largest > 0, np.maximum(self.config.fires_at * largest, 1e-12), np.inf)

    def _panel(self, protein_ids: Sequence[str], split: str) -> Panel:
        stored = set(protein_ids).intersection(self.codes.of_split(split))
        return read_panel(self.codes, self.proteins, stored, split, self.cut, self.config.flank)

    @cached_property
    def making(self) -> list[Panel]:
        """What conditions are made on."""
        training = [name for name in self.codes.of_split("train") if name in self.proteins.letters]
        return [self._panel(self.halves[0], "validation"), self._panel(training, "train")]

    @cached_property
    def choosing(self) -> Panel:
        """What rules are chosen on."""
        return self._panel(self.halves[1], "validation")

    @cached_property
    def test(self) -> Panel:
        """What explanations are scored on."""
        return self._panel(self.proteins.ids["test"], "test")

    @cached_property
    def _by_protein(self) -> Mapping[int, Agreement]:
        return protein_agreements(self.latents, self.proteins.concepts)

    @cached_property
    def _by_residue(self) -> Mapping[int, Agreement]:
        return residue_agreements(self.codes, self.proteins)

    @cached_property
    def _own(self) -> Mapping[int, Agreement]:
        return own_agreements(self.latents, self.proteins.concepts)

    @cached_property
    def _shapes(self) -> Mapping[int, str]:
        if "shape" not in self.latents:
            return {}
        return dict(zip(self.latents["latent"].tolist(), self.latents["shape"], strict=True))

    def windows(self, latent: int, split: str) -> Windows | None:
        """Return the windows that an explanation is chosen on (`choose`) or scored on (`test`)."""
        return draw_windows(self.choosing if split == "choose" else self.test, latent, self.config, split)

    def _evidence(self, latent: int) -> Evidence:
        """Return what is known of a latent, with the best rule."""
        found = Evidence(
            latent,
            sum(len(peaks(panel, latent)) for panel in (self.making[0], self.choosing)),
            ordered(self.config.min_margin, self._by_protein.get(latent), self._by_residue.get(latent)),
            self._own.get(latent),
            self._shapes.get(latent, ""),
        )
        windows = self.windows(latent, "choose")
        if windows is None:
            return replace(found, is_tested=False)
        return replace(found, rule=choose_rule(self._conditions(found), self.choosing, windows, self.config))

    def _conditions(self, evidence: Evidence) -> list[Condition]:
        """Return the conditions that a rule may have."""
        concepts = {of.concept_idx: of for of in (*evidence.agreements, evidence.own) if of is not None}
        found: list[Condition] = [Concept(of.concept_idx, of.name, of.level) for of in concepts.values()]
        panel = self._joined
        made = letters_of(panel, evidence.latent), place_of(panel, evidence.latent)
        found += [condition for condition in made if condition is not None]
        return found + motifs_of(panel, evidence.latent, self.config.motif_flank)

    @cached_property
    def _joined(self) -> Panel:
        return joined(self.making)

    def _scores(
        self,
        panel: Panel,
        purpose: str,
        rules: Mapping[int, Rule],
        latents: Iterable[int],
    ) -> dict[int, tuple[ThreeScores, ThreeScores, int]]:
        """Score the latents that can be, with the floor and the number of windows."""
        config, found = self.config, {}
        names = np.array(sorted(rules), np.int64)
        generator = numpy_generator(config.seed, "shuffled_explanations", purpose)
        for latent in latents:
            windows = draw_windows(panel, latent, config, purpose)
            others = names[names != latent]
            if windows is None or not len(others):
                continue
            drawn = generator.choice(others, min(config.n_shuffles, len(others)), replace=False)
            shuffled = [score_rule(rules[int(other)], panel, windows) for other in drawn]
            floor = ThreeScores(*(float(np.mean(of)) for of in zip(*shuffled, strict=True)))
            own = score_rule(rules.get(latent, Rule()), panel, windows)
            found[latent] = own, floor, windows.firing.shape[1]
        return found


def joined(panels: Sequence[Panel]) -> Panel:
    """Return two panels as one, without concepts: what amino acids, motifs and places are made on."""
    first, second = panels
    shift, n_proteins = len(first.letters), len(first.protein_ids)
    latents = [np.repeat(np.arange(len(p.indptr) - 1), np.diff(p.indptr)) for p in panels]
    order = np.argsort(np.concatenate(latents), kind="stable")
    return Panel(
        first.protein_ids + second.protein_ids,
        np.concatenate([first.first_row, second.first_row + shift]),
        np.concatenate([first.letters, second.letters]),
        np.concatenate([first.protein, np.where(second.is_residue, second.protein + n_proteins, -1)]),
        np.concatenate([first.position, second.position]),
        np.concatenate([first.lengths, second.lengths]),
        np.zeros((n_proteins + len(second.protein_ids), 0), bool),
        {},
        first.indptr + second.indptr,
        np.concatenate([first.rows, second.rows + shift])[order].astype(np.int32),
        np.concatenate([first.acts, second.acts])[order],
    )


def choose_rule(
    conditions: list[Condition], panel: Panel, windows: Windows, config: ExplanationConfig
) -> Rule:
    """Add conditions one by one, each time the one that raises the score on the windows most, as long as it
    raises it by `min_gain`; at most one motif."""
    if not conditions:
        return Rule()
    firing = truth_table(conditions, panel, windows.firing) & panel.is_residue[windows.firing]
    silent = truth_table(conditions, panel, windows.silent) & panel.is_residue[windows.silent]
    chosen: list[int] = []
    so_far = panel.is_residue[windows.firing], panel.is_residue[windows.silent]
    best = 0.5
    while True:
        has_motif = any(isinstance(conditions[i], Motif) for i in chosen)
        left = [
            i
            for i, condition in enumerate(conditions)
            if i not in chosen and not (has_motif and isinstance(condition, Motif))
        ]
        if not left:
            break
        tried = firing[left] & so_far[0], silent[left] & so_far[1]
        detection, fuzzing = detection_and_fuzzing(answers_of(*tried, panel, windows))
        both = np.where(np.isnan(fuzzing), detection, (detection + fuzzing) / 2).mean(axis=1)
        at = int(both.argmax())
        if both[at] < best + config.min_gain:
            break
        best = float(both[at])
        chosen.append(left[at])
        so_far = tried[0][at], tried[1][at]
    return Rule(tuple(conditions[i] for i in chosen))
