"""The arms of steering benchmarks: what every run of the project has in common."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from helpers.finished_run import FinishedRun
from protsae.core.seeding import lowest_hashes, numpy_generator
from protsae.metrics.ranking import pairwise_auc
from protsae.sae.base import SparseAutoencoder
from protsae.sae.protsae import ProtSae
from protsae.steering.arms import (
    Arm,
    difference_of_means,
    direction_arm,
    latent_arm,
    output_scores,
    output_scores_of_latents,
    probe_direction,
)
from protsae.steering.decoding import Decoder, Template
from protsae.steering.targets import parents_of, with_ancestors

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Target:
    """A concept to steer towards."""

    index: int
    concept_id: str
    aspect: str


class ArmBench:
    """Proteins with their labels, activations and codes, one seed's dictionaries, and the arms made of them.

    Subclasses set the attributes.
    """

    n_candidates = 24
    """Latents that rank proteins best, of which the one with the highest output score is taken."""
    n_of_set = 96
    """Latents, or principal components, of which a set is chosen."""
    n_scored = 8
    """Validation proteins with the concept, and as many without, on which output scores are measured."""
    output_strength = 0.5

    run: FinishedRun
    seed: int
    concepts: pd.DataFrame
    ids: NDArray[np.object_]
    split: NDArray[np.object_]
    """Of each protein [n_proteins]."""
    decoder: Decoder
    means: NDArray[np.floating]
    """Mean activations [n_proteins, d_model]."""
    dictionaries: Mapping[str, SparseAutoencoder]
    """`protsae`, `topk`, and others without concepts."""
    pooled: Mapping[str, Mapping[str, NDArray[np.floating]]]
    """Dictionary to its mean and largest codes [n_proteins, d_sae]."""

    def __init__(self) -> None:
        self._aucs: dict[tuple[str, int, str], Floats] = {}

    def template(self, target: Target, name: str) -> Template:
        """Return a protein with the mask of a target."""
        raise NotImplementedError

    def known(self, target: Target) -> Bools:
        """Return the proteins that are labelled for a target [n_proteins]."""
        return self.labelled[target.aspect]

    def wrong(self, target: Target) -> list[Target]:
        """Return the concepts of which one is steered instead."""
        names = self.concepts["concept_id"][self.concepts["aspect"] == target.aspect]
        return [self.target(name) for name in names if name != target.concept_id]

    def excluded(self, target: Target) -> list[int]:
        """Return the latents of concepts that exclude the target; none: there is no arm of it."""
        del target
        return []

    def target(self, concept_id: str) -> Target:
        """Return a concept."""
        (index,) = np.flatnonzero(self.concepts["concept_id"] == concept_id)
        return Target(int(index), concept_id, str(self.concepts["aspect"][index]))

    @cached_property
    def labels(self) -> Bools:
        """[n_proteins, n_concepts]."""
        table = self.run.load("protein_labels")
        found = np.zeros((len(self.ids), len(self.concepts)), bool)
        row = pd.Series(range(len(self.ids)), index=self.ids).reindex(table["protein_id"])
        known = row.notna().to_numpy()
        found[row[known].astype(int), table["concept_idx"].to_numpy()[known]] = True
        return found

    @cached_property
    def labelled(self) -> dict[str, Bools]:
        """Aspect to whether proteins are labelled in it [n_proteins]."""
        table = self.run.load("labelled_aspects")
        return {
            str(aspect): pd.Index(self.ids).isin(own) for aspect, own in table.groupby("aspect")["protein_id"]
        }

    @cached_property
    def parents(self) -> dict[str, list[str]]:
        """Concept to those right above it."""
        return parents_of(self.run.load("concept_relations"))

    @property
    def protsae(self) -> ProtSae:
        """The dictionary with concepts."""
        found = self.dictionaries["protsae"]
        assert isinstance(found, ProtSae)
        return found

    @property
    def length(self) -> float:
        """The root of the activations' total variance: how far strength 1 moves a residue."""
        return float(self.protsae.config.d_model**0.5 / self.protsae.input_scale)

    def arms(self, target: Target) -> Iterator[Arm]:
        """Yield the arms that edit, in the order of the table."""
        known, of_train = self.known(target), self.split == "train"
        positive, negative = (
            known & of_train & (self.labels[:, target.index] == one) for one in (True, False)
        )
        direction = difference_of_means(self.means, positive, negative)
        protsae = self.protsae
        length = self.length
        generator = numpy_generator(self.seed, "steering", target.concept_id)
        difference = self._difference("protsae", positive, negative)
        n_defined = protsae.n_defined

        yield latent_arm("random_latent", protsae, {self._random(target, generator): 1.0}, length)
        others = self.wrong(target)
        wrong = others[generator.integers(len(others))]
        yield latent_arm("wrong_concept", protsae, {wrong.index: 1.0}, length, about=wrong.concept_id)
        yield direction_arm("difference_of_means", direction, length)
        yield direction_arm("linear_probe", self._probe(target, known), length)
        yield direction_arm("predictor", protsae.concept_weights[target.index].detach(), length)
        groups = self.scored(target)
        chosen, n = self._causal_components(positive, negative, groups, length)
        yield replace(
            direction_arm("difference_of_means_set", chosen, length), about=f"{n} principal components"
        )
        for name in ("topk", "ordered", "frozen_decoder"):
            if name not in self.dictionaries:
                continue
            yield from self._unguided(name, target, length, groups)
        for name in ("topk", "protsae"):
            sae, changes = self.dictionaries[name], self._difference(name, positive, negative)
            largest = {
                int(i): float(changes[i])
                for i in np.argsort(-np.abs(changes), kind="stable")[: self.n_of_set]
            }
            if name == "protsae":  # the target's own latent is always a candidate
                largest.setdefault(target.index, float(changes[target.index]))
            effects = self.effects(name, largest, groups)
            causal = {i: change for i, change in largest.items() if effects[i] > 0}
            yield latent_arm(f"{name}_set", sae, causal or largest, length, about=f"{len(causal)} latents")
            if name == "protsae":
                own = {i: effects[i] * float(np.sign(c)) for i, c in causal.items() if i < n_defined}
                about = f"{len(own)} latents"
                yield latent_arm("named_set", sae, own or {target.index: 1.0}, length, about=about)
        named = self._named(target, difference)
        yield latent_arm("named", protsae, named, length, about=str(list(named)))
        if off := self.excluded(target):
            yield latent_arm("named_source_off", protsae, named, length, suppressed=off)
        profile = {i: float(difference[i]) for i in range(n_defined)}
        yield latent_arm("named_profile", protsae, profile, length)

    def _causal_components(
        self,
        positive: Bools,
        negative: Bools,
        groups: Sequence[Sequence[Template]],
        length: float,
    ) -> tuple[torch.Tensor, int]:
        """Return difference of means along the principal components that favour the true residues, and how
        many these are: the selection that the sets of latents get, without a dictionary."""
        train = self.means[self.split == "train"].astype(np.float64)
        components = np.linalg.svd(train - train.mean(axis=0), full_matrices=False)[2]
        direction = difference_of_means(self.means, positive, negative).numpy().astype(np.float64)
        changes = components @ direction
        largest = np.argsort(-np.abs(changes), kind="stable")[: self.n_of_set]
        parts = torch.from_numpy(components[largest] * changes[largest, None]).float()
        edits = [direction_arm("", part, length).edit for part in parts]
        effects = output_scores(
            self.decoder, [edit for edit in edits if edit is not None], *groups, self.output_strength
        )
        chosen = torch.from_numpy(effects > 0)
        return (parts[chosen] if chosen.any() else parts).sum(dim=0), int(chosen.sum())

    def scored(self, target: Target) -> list[list[Template]]:
        """Return validation proteins with the target and without, on which output scores are measured."""
        held = self.known(target) & (self.split == "validation")
        groups = []
        for one in (True, False):
            ids = self.ids[held & (self.labels[:, target.index] == one)]
            chosen = sorted(lowest_hashes(ids, self.n_scored, f"output score {target.concept_id}"))
            groups.append([self.template(target, each) for each in chosen])
        return groups

    def effects(
        self, name: str, changes: Mapping[int, float], groups: Sequence[Sequence[Template]]
    ) -> dict[int, float]:
        """Return the output scores of latents of a dictionary, each moved in the direction of its change."""
        distance = self.output_strength * self.length
        return output_scores_of_latents(self.decoder, self.dictionaries[name], changes, *groups, distance)

    def is_alive(self, name: str) -> Bools:
        """Return which latents of a dictionary fire in any training protein [d_sae]."""
        found: Bools = (self.pooled[name]["max"][self.split == "train"] > 0).any(axis=0)
        return found

    def aucs(self, name: str, split: str) -> Floats:
        """Return the AUC of each latent's mean and largest code for each concept, proteins of a split; 0
        where there is none [2, d_sae, n_concepts]."""
        key = name, self.seed, split
        if key not in self._aucs:
            rows = self.split == split
            known = np.stack([self.known(self.target(each)) for each in self.concepts["concept_id"]], axis=1)
            self._aucs[key] = np.stack(
                [
                    np.nan_to_num(pairwise_auc(codes[rows], self.labels[rows], known[rows]))
                    for codes in self.pooled[name].values()
                ]
            ).astype(np.float32)
        return self._aucs[key]

    def _difference(self, name: str, positive: Bools, negative: Bools) -> Floats:
        codes = self.pooled[name]["mean"]
        return codes[positive].mean(axis=0, dtype=np.float64) - codes[negative].mean(axis=0, dtype=np.float64)

    def _named(self, target: Target, difference: Floats) -> dict[int, float]:
        """Return the target's latent and those of its ancestors, by how much their mean codes differ."""
        above = with_ancestors(target.concept_id, self.parents)
        found = {}
        for i in np.flatnonzero(self.concepts["concept_id"].isin(above)):
            if difference[i] > 0 or i == target.index:
                found[int(i)] = max(float(difference[i]), 1e-3)
        return found

    def _random(self, target: Target, generator: np.random.Generator) -> int:
        """Return one of the ten free latents that are active in about as many proteins as the target's."""
        active = (self.pooled["protsae"]["max"][self.split == "train"] > 0).mean(axis=0)
        n = self.protsae.n_defined
        near = n + np.argsort(np.abs(active[n:] - active[target.index]), kind="stable")[:10]
        return int(generator.choice(near))

    def _probe(self, target: Target, known: Bools) -> torch.Tensor:
        parts = [
            (self.means[rows], self.labels[rows, target.index], np.ones(int(rows.sum()), bool))
            for rows in (known & (self.split == "train"), known & (self.split == "validation"))
        ]
        return probe_direction(*parts, self.run.judge.scoring.l2)

    def _unguided(
        self,
        name: str,
        target: Target,
        length: float,
        groups: Sequence[Sequence[Template]],
    ) -> Iterator[Arm]:
        """Yield the best latent by correlation, and of the best ones that with the highest output score."""
        sae, auc = self.dictionaries[name], self.aucs(name, "train")[:, :, target.index].max(axis=0)
        order = [int(i) for i in np.argsort(-auc, kind="stable")[: self.n_candidates]]

        def arm(kind: str, i: int) -> Arm:
            return latent_arm(f"{name}_{kind}", sae, {i: 1.0}, length, about=f"{i}, AUC {auc[i]:.3f}")

        yield arm("latent", order[0])
        if name != "frozen_decoder":
            effects = self.effects(name, dict.fromkeys(order, 1.0), groups)
            yield arm("output_score", max(order, key=lambda i: effects[i]))


def correlation_and_effect(
    bench: ArmBench, targets: Sequence[Target], names: Mapping[str, str], n_best: int = 2, n_random: int = 3
) -> pd.DataFrame:
    """Return association and causal effect of latents with concepts: the concept's own latent (`defined`),
    the `n_best` others that rank training proteins best (`best`), and random ones (`random`).

    Association is the AUC of a latent's mean or largest code, whichever ranks training proteins better, on
    validation proteins. The effect is its output score there.

    Args:
        bench: proteins, codes and dictionaries.
        targets: the concepts.
        names: dictionary to the name of its architecture.
        n_best: latents of each concept and dictionary.
        n_random: likewise.
    """
    rows = []
    for target in targets:
        groups = bench.scored(target)
        if min(map(len, groups)) < bench.n_scored:
            continue
        found = []
        for name, architecture in names.items():
            sae, free = bench.dictionaries[name], bench.dictionaries[name].n_defined
            auc = {split: bench.aucs(name, split)[:, :, target.index] for split in ("train", "validation")}
            pooling, every = auc["train"].argmax(axis=0), np.arange(sae.config.d_sae)
            ranked, held = (of[pooling, every] for of in auc.values())
            kinds = {"defined": [target.index]} if free else {}
            kinds["best"] = [int(i) + free for i in np.argsort(-ranked[free:], kind="stable")[:n_best]]
            alive = free + np.flatnonzero(bench.is_alive(name)[free:])
            generator = numpy_generator(bench.seed, "random latents", name, target.concept_id)
            kinds["random"] = [int(i) for i in generator.choice(alive, n_random, replace=False)]
            found += [(name, architecture, kind, i, held[i]) for kind, of in kinds.items() for i in of]
        arms = [latent_arm("", bench.dictionaries[name], {i: 1.0}, bench.length) for name, *_, i, _ in found]
        edits = [arm.edit for arm in arms if arm.edit is not None]
        effects = output_scores(bench.decoder, edits, *groups, bench.output_strength)
        rows += [
            {
                "target": target.concept_id,
                "seed": bench.seed,
                "architecture": architecture,
                "kind": kind,
                "latent": i,
                "association": association,
                "effect": effect,
            }
            for (_, architecture, kind, i, association), effect in zip(found, effects, strict=True)
        ]
    return pd.DataFrame(rows)
