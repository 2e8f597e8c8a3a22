"""Steering of general proteins: judges without a language model, concepts, templates and arms."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from helpers.finished_run import FinishedRun
from helpers.steering_arms import ArmBench, Target
from helpers.steering_tables import judged
from protsae.core.seeding import lowest_hashes, numpy_generator
from protsae.metrics.ranking import roc_auc
from protsae.plm import load_plm
from protsae.sae.base import SparseAutoencoder
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.steering.arms import Arm, latent_arm, nearest_relatives, random_mutations
from protsae.steering.config import DecodingConfig
from protsae.steering.decoding import Decoder, Template
from protsae.steering.edits import LatentEdit
from protsae.steering.judges import Known, ProbeJudge, kmers, mean_activations
from protsae.steering.naturalness import composition, composition_distance
from protsae.steering.scoring import naturalness, scores
from protsae.steering.targets import with_ancestors

MEMBERS = {"protsae": 16, "topk": 32, "frozen_decoder": 32}
"""Architecture to the k of its dictionaries."""
STRENGTHS = (1.0, 2.0, 4.0, 8.0)
MAX_LENGTH = 200
N_CONCEPTS = 20
N_SOURCES = {"validation": 20, "test": 100}
SHARE = 0.5
"""Of the residues, drawn at random, that are written anew."""
MIN_JUDGING = 20
"""Fewest validation proteins with a concept."""
ALIKE = 0.5
"""Concepts whose labels correlate more in training are no off-targets of each other."""
Floats = NDArray[np.float64]


class ProteinBench(ArmBench):
    """A finished run, and of it the proteins of up to `MAX_LENGTH` residues; `use` chooses the seed."""

    n_candidates = 12
    n_of_set = 24

    def __init__(self, env: str, project: Path) -> None:
        super().__init__()
        self.run, self.seed = FinishedRun(env, project=project), 0
        self.concepts = self.run.load("concepts")
        proteins = self.run.proteins.set_index("protein_id")
        used = proteins["split"].isin(["train", "validation", "test"]) & (proteins["length"] <= MAX_LENGTH)
        self.proteins = proteins[used]
        self.ids = self.proteins.index.to_numpy()
        self.split = self.proteins["split"].to_numpy()
        self.sequences = self.proteins["sequence"].to_numpy()
        self._row = {name: i for i, name in enumerate(self.ids)}
        self._model = load_plm(self.run.load("plm_checkpoint"))
        self._seen = np.flatnonzero(self.split != "test")
        found = self._decoder(0).activations(self.sequences[self._seen].tolist())
        self.means = np.zeros((len(self.ids), self._model.d_model), np.float32)  # of test: not used
        self.means[self._seen] = np.stack([values.mean(dim=0).numpy() for values in found])
        self._activations = [values.half() for values in found]

    def use(self, seed: int) -> None:
        """Take the dictionaries of a seed, its masks and its draws."""
        self.seed = seed
        self.decoder = self._decoder(seed)
        folder = self.run.sweep_folder
        name = f"{{}}-{self.run.hook_point}-d{self.run.load('params:training.d_sae')}-k{{}}-seed{seed}"
        self.dictionaries = {
            kind: SaeCheckpoint(folder / name.format(kind, k) / "sae.safetensors").load()
            for kind, k in MEMBERS.items()
        }
        self.pooled = {kind: self._pooled(sae) for kind, sae in self.dictionaries.items()}

    def _decoder(self, seed: int) -> Decoder:
        config = DecodingConfig(rounds=1, temperature=1.0, seed=seed)
        return Decoder(self._model, self.run.hook_point, config)

    @torch.inference_mode()
    def _pooled(self, sae: SparseAutoencoder) -> dict[str, NDArray[np.float32]]:
        """Return mean and largest codes of training and validation proteins [n_proteins, d_sae]."""
        found = {how: np.zeros((len(self.ids), sae.config.d_sae), np.float32) for how in ("mean", "max")}
        for i, values in zip(self._seen, self._activations, strict=True):
            codes = sae.encode(values.float())
            found["mean"][i] = codes.mean(dim=0).numpy()
            found["max"][i] = codes.amax(dim=0).numpy()
        return found

    @cached_property
    def judge(self) -> ProbeJudge:
        """The judge of all concepts: k-mers of training proteins of any length."""
        return ProbeJudge.fit(
            kmers, self.concepts["concept_id"].tolist(), self._natural("train"), self._natural("validation")
        )

    @cached_property
    def test_auc(self) -> Floats:
        """AUC of the judge on test proteins [n_concepts], for the table alone."""
        known = self._natural("test")
        logits = self.judge.probes.logits(kmers(known.sequences))
        return roc_auc(logits, known.labels, known.labelled)

    @cached_property
    def second(self) -> ProbeJudge:
        """A judge of the targets by mean activations of the language model's first layer, before the hook
        point and without an edit; of proteins of the benchmark's length."""
        columns = [target.index for target in self.targets]
        labelled = np.stack([self.known(target) for target in self.targets], axis=1)
        parts = [
            Known(self.sequences[rows].tolist(), self.labels[rows][:, columns], labelled[rows])
            for rows in (self.split == "train", self.split == "validation")
        ]
        features = mean_activations(Decoder(self._model, "layers.0.resid_post", DecodingConfig()))
        names = [target.concept_id for target in self.targets]
        return ProbeJudge.fit(features, names, *parts, l2=0.003)

    def embeddings(self, sequences: Sequence[str]) -> NDArray[np.floating]:
        """Return mean activations at the hook point, without an edit [n, d_model]."""
        return mean_activations(self._decoder(0))(sequences)

    def _natural(self, split: str) -> Known:
        of = self.run.labels[split]
        sequences = self.run.proteins.set_index("protein_id")["sequence"]
        return Known(sequences[of.protein_ids].tolist(), of.labels, of.labelled)

    @cached_property
    def targets(self) -> list[Target]:
        """The concepts that are steered towards: aspects take turns, each with its concept whose judge has
        the highest AUC on validation, eligible, with enough validation proteins, and no relative of one
        that was taken."""
        rows = self.split == "validation"
        by_auc: dict[str, list[Target]] = {}
        for i in np.argsort(-self.judge.held_out_auc, kind="stable"):
            target = self.target(self.concepts["concept_id"][i])
            has = rows & self.known(target) & self.labels[:, i]
            if self.judge.is_eligible[i] and has.sum() >= MIN_JUDGING:
                by_auc.setdefault(target.aspect, []).append(target)
        found: list[Target] = []
        while len(found) < N_CONCEPTS and any(by_auc.values()):
            for waiting in by_auc.values():
                while waiting and self.relatives[waiting[0].index, [t.index for t in found]].any():
                    waiting.pop(0)
                if waiting and len(found) < N_CONCEPTS:
                    found.append(waiting.pop(0))
        return found

    @cached_property
    def relatives(self) -> NDArray[np.bool_]:
        """Whether a concept is another one, its ancestor or descendant, or has nearly the same proteins
        [n_concepts, n_concepts]."""
        names = self.concepts["concept_id"]
        above = np.stack([names.isin(with_ancestors(name, self.parents)).to_numpy() for name in names])
        alike = np.corrcoef(self.labels[self.split == "train"].T.astype(float)) > ALIKE
        found: NDArray[np.bool_] = above | above.T | alike
        return found

    def template(self, target: Target, name: str) -> Template:
        """Return a protein with its mask, which is the same for every target."""
        del target
        sequence = self.sequences[self._row[name]]
        drawn = numpy_generator(self.seed, "steering mask", name).random(len(sequence))
        return Template(name, sequence, drawn <= np.quantile(drawn, SHARE))

    def templates(self, target: Target, split: str) -> list[Template]:
        """Return proteins of a split that lack the concept."""
        rows = self.known(target) & ~self.labels[:, target.index] & (self.split == split)
        chosen = sorted(lowest_hashes(self.ids[rows], N_SOURCES[split], "steering"))
        return [self.template(target, name) for name in chosen]

    def arms(self, target: Target) -> Iterator[Arm]:
        """Yield the arms of all benchmarks, and the concept's latent without its ancestors."""
        yield from super().arms(target)
        yield latent_arm("named_alone", self.protsae, {target.index: 1.0}, self.length)

    @cached_property
    def _background(self) -> Floats:
        return composition(self.sequences[self.split == "train"]).mean(axis=0)

    @cached_property
    def _natural_distances(self) -> Floats:
        return composition_distance(self.sequences[self.split == "validation"], self._background)

    def judged(
        self, target: Target, templates: Sequence[Template], sequences: Sequence[str], **tags: object
    ) -> pd.DataFrame:
        """Return what the judges say, a row for each design; `tags` are columns."""
        before, after = (
            self.judge.scores(texts) for texts in ([each.sequence for each in templates], sequences)
        )
        others = self.judge.is_eligible & ~self.relatives[target.index]
        distances = composition_distance(sequences, self._background)
        identity = [
            np.mean([a == b for a, b in zip(template.sequence, text, strict=False)])
            for template, text in zip(templates, sequences, strict=True)
        ]
        columns = {
            "protein_id": [template.protein_id for template in templates],
            "hit": after[:, target.index],
            "isolation": 1 - np.abs(after - before)[:, others].mean(axis=1),
            "naturalness": naturalness(distances, self._natural_distances),
            "composition_distance": distances,
            "identity": identity,
            "sequence": list(sequences),
        }
        return pd.DataFrame(columns).assign(target=target.concept_id, aspect=target.aspect, **tags)


def steer(bench: ProteinBench, target: Target) -> pd.DataFrame:
    """Return every judged design of a target: all arms, all strengths on validation, the chosen one on
    test."""
    arms = list(bench.arms(target))
    held, test = (bench.templates(target, split) for split in ("validation", "test"))
    doses = [(arm, strength) for arm in arms for strength in STRENGTHS]
    parts = []

    def keep(
        templates: Sequence[Template], written: Sequence[str], arm: Arm, split: str, strength: float
    ) -> pd.DataFrame:
        tags = {"arm": arm.name, "about": arm.about, "split": split, "strength": strength}
        parts.append(bench.judged(target, templates, written, seed=bench.seed, **tags))
        return parts[-1]

    plain = Arm("unsteered")
    written = _decoded(bench, held, [(plain, 0.0), *doses])
    unsteered = judged(keep(held, written[0], plain, "validation", 0.0))
    chosen: dict[str, tuple[float, float]] = {}
    for (arm, strength), texts in zip(doses, written[1:], strict=True):
        table = keep(held, texts, arm, "validation", strength)
        score = float(scores(judged(table), unsteered)["score"])
        if arm.name not in chosen or score > chosen[arm.name][0]:
            chosen[arm.name] = score, strength
    splice_only = Arm("splice_only", LatentEdit(bench.protsae, keep_error=False))
    final = [(plain, 0.0), (splice_only, 0.0), *((arm, chosen[arm.name][1]) for arm in arms)]
    by_arm = dict(zip([arm.name for arm, _ in final], _decoded(bench, test, final), strict=True))
    for arm, strength in final:
        keep(test, by_arm[arm.name], arm, "test", strength)
    n_mutations = [
        sum(a != b for a, b in zip(text, template.sequence, strict=True))
        for text, template in zip(by_arm["named"], test, strict=True)
    ]
    generator = numpy_generator(bench.seed, "random mutations", target.concept_id)
    keep(test, random_mutations(test, n_mutations, generator), Arm("random_mutations"), "test", 0.0)
    rows = bench.known(target) & (bench.split == "train") & bench.labels[:, target.index]
    natural = bench.sequences[rows].tolist()
    keep(test, nearest_relatives(test, natural), Arm("retrieval"), "test", 0.0)
    return pd.concat(parts, ignore_index=True)


def _decoded(
    bench: ProteinBench, templates: Sequence[Template], doses: Sequence[tuple[Arm, float]]
) -> list[list[str]]:
    """Return the designs of every dose."""
    found = bench.decoder.decode_each(templates, [(arm.edit, strength) for arm, strength in doses])
    return [[design.sequence for design in designs] for designs in found]
