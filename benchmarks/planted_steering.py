"""Steer and explain a language model whose cause is planted, to see whether steering and attribution find it.

    python benchmarks/planted_steering.py [--seeds 0 1 2]

A small language model is pretrained on proteins in which a tag decides a motif (helpers/planted_switch.py),
and a ProtSAE and a TopK dictionary are trained on it with every seed. What is made is kept in
data/planted_switch, so that a second call makes what is missing. Writes docs/results/planted_steering.csv
(arms), planted_steering_latents.csv (association against effect) and planted_attribution.csv;
docs/attribution.md reads them. The last line is one JSON object: share of sequences with the motif, named
latent and worst control.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from helpers.planted_switch import CONCEPTS, N_SITES, OFF_MOTIF, ON_MOTIF, ON_TAG, Protein, draw, table_of
from helpers.provenance import ROOT, provenance, write_json
from protsae.activations.config import ExtractionConfig
from protsae.activations.plan import plan_extraction
from protsae.activations.reader import ActivationStore
from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.attribution.explain import AttributionConfig, TargetConfig, attribute
from protsae.core.files import write_text_atomic
from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator
from protsae.metrics.bootstrap import cluster_weights, percentile_interval
from protsae.metrics.ranking import pairwise_auc
from protsae.plm import PlmModel, load_plm
from protsae.pretraining.config import MaskConfig, PretrainerConfig, ShapeConfig
from protsae.pretraining.plan import plan_pretraining
from protsae.sae.base import SparseAutoencoder
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.steering.arms import (
    Arm,
    difference_of_means,
    direction_arm,
    latent_arm,
    probe_direction,
    random_mutations,
)
from protsae.steering.config import DecodingConfig
from protsae.steering.decoding import Decoder, Template
from protsae.steering.edits import Edit, LatentEdit
from protsae.steering.scoring import harmonic_mean, smallest_difference
from protsae.training.config import TrainerConfig
from protsae.training.plan import Knowledge, SizeAndSeed, Source, TrainingPlan

RESULTS = ROOT / "docs" / "results"
FOLDER = ROOT / "data" / "planted_switch"
HOOK_POINT = "layers.2.resid_post"
GUIDANCE = {"annotation_pooling": "log_sum_exp"}
N_PROTEINS = {"train": 20_000, "validation": 500, "test": 500}
N_FOR_DICTIONARIES = 4000
N_STEERED = {"validation": 60, "test": 100}
ELSEWHERE = 0.2
"""Share of the residues outside the motif that are written anew too."""
STRENGTHS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)
N_RESAMPLES = 1000
REFERENCE = "difference_of_means"
NAMED_ARMS = {"named": "switch", "confounder": "tail", "rare_cause": "rare_tag", "wrong_concept": "word"}
CONTROLS = (
    *("unsteered", "splice_only", "confounder", "wrong_concept", "random_latent", "unrelated_latent"),
    *("random_direction", "random_mutations"),
)
ASSOCIATED = 0.75
"""AUC from which a latent is associated with the switch."""
UNRELATED = 0.6
"""AUC below which a latent is not associated with the switch."""
EFFECT_STRENGTH = 1.25
N_EXPLAINED = 20
ALL_SITES = ON_MOTIF * N_SITES
Floats = NDArray[np.float64]


class Bench:
    """The planted model with the dictionaries of one seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.proteins = {split: draw(split, n, 0) for split, n in N_PROTEINS.items()}
        self.plm = language_model(folder, self.proteins)
        self.proteins["train"] = self.proteins["train"][:N_FOR_DICTIONARIES]
        self.sae = {
            name: dictionary(folder, name, seed, self.proteins, self.plm) for name in ("protsae", "topk")
        }
        self.decoder = Decoder(self.plm, HOOK_POINT, DecodingConfig(device="cpu"))
        self.labels, self.means, self.pooled = {}, {}, {name: {} for name in self.sae}
        for split, of in self.proteins.items():
            values = self.decoder.activations([p.sequence for p in of])
            self.labels[split] = np.array([[p.labels[c] for c in CONCEPTS] for p in of])
            self.means[split] = np.stack([x.mean(dim=0).numpy() for x in values])
            for name, sae in self.sae.items():
                codes = [sae.encode(x).mean(dim=0).numpy() for x in values]
                self.pooled[name][split] = np.stack(codes)
            if split == "train":
                self.length = float(torch.cat(values).var(dim=0).sum().sqrt())

    def association(self, name: str, split: str) -> Floats:
        """Return the AUC of every latent's mean code for the switch, whichever way it points [d_sae]."""
        auc = pairwise_auc(self.pooled[name][split], self.labels[split][:, :1])[:, 0]
        return np.maximum(auc, 1 - auc)

    def sources(self, split: str) -> list[Protein]:
        """Return proteins whose switch is off, to be steered."""
        return [p for p in self.proteins[split] if not p.labels["switch"]][: N_STEERED[split]]

    def arms(self) -> Iterator[Arm]:
        """Yield every arm with a strength."""
        protsae, topk = self.sae["protsae"], self.sae["topk"]
        for arm, concept in NAMED_ARMS.items():
            yield latent_arm(arm, protsae, {CONCEPTS.index(concept): 1.0}, self.length)
        association = self.association("protsae", "train")
        for arm, latent in {
            "random_latent": self._as_often_active(association >= 0),
            "unrelated_latent": self._as_often_active(association < UNRELATED),
        }.items():
            about = f"{latent}, AUC {association[latent]:.3f}"
            yield latent_arm(arm, protsae, {latent: 1.0}, self.length, about=about)
        drawn = numpy_generator(self.seed, "planted direction").normal(size=self.plm.d_model)
        yield direction_arm("random_direction", torch.from_numpy(drawn).float(), self.length)
        best = int(np.argmax(self.association("topk", "train")))
        yield latent_arm("topk_latent", topk, {best: 1.0}, self.length, about=str(best))
        is_on = {split: labels[:, 0] for split, labels in self.labels.items()}
        means = difference_of_means(self.means["train"], is_on["train"], ~is_on["train"])
        yield direction_arm(REFERENCE, means, self.length)
        parts = [(self.means[s], is_on[s], np.ones_like(is_on[s])) for s in ("train", "validation")]
        yield direction_arm("linear_probe", probe_direction(*parts, [1e-3, 1e-2, 0.1, 1.0]), self.length)
        yield direction_arm("predictor", protsae.concept_weights[0].detach(), self.length)

    def _as_often_active(self, chosen: NDArray[np.bool_]) -> int:
        """Return one of ten free latents, of some, that are active about as often as the named one."""
        active = (self.pooled["protsae"]["train"] > 0).mean(axis=0)
        free = np.flatnonzero(chosen & (active > 0) & (np.arange(len(active)) >= len(CONCEPTS)))
        near = free[np.argsort(np.abs(active[free] - active[0]), kind="stable")[:10]]
        return int(numpy_generator(self.seed, "planted random latent").choice(near))


def language_model(folder: Path, proteins: Mapping[str, list[Protein]]) -> PlmModel:
    """Return the language model, pretrained unless it is there."""
    settings = PretrainerConfig(
        steps=1500,
        tokens_per_batch=4096,
        max_residues=68,
        masking=MaskConfig(mask_probability=0.15, max_mask_probability=0.5),
        validate_every=200,
        device="cpu",
    )
    shape = ShapeConfig(n_layers=4, d_model=64, n_heads=4)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lm.safetensors"
    plan_pretraining(table_of(dict(proteins)), shape, settings, seed=0).run(path)
    return load_plm(path)


def dictionary(
    folder: Path, name: str, seed: int, proteins: Mapping[str, list[Protein]], plm: PlmModel
) -> SparseAutoencoder:
    """Return a dictionary, trained unless it is there."""
    table = table_of(dict(proteins))
    config = ExtractionConfig(hook_point=HOOK_POINT, dtype="float32", device="cpu")
    plan_extraction(list(table["protein_id"]), list(table["sequence"]), plm, config).run(folder / "shards")
    source = Source(ActivationStore(folder / "shards"), HOOK_POINT, table)
    path = folder / f"{name}_{seed}" / "sae.safetensors"
    path.parent.mkdir(exist_ok=True)
    settings, knowledge = {}, None
    if name == "protsae":
        settings, knowledge = {"guidance": GUIDANCE}, _knowledge([p for of in proteins.values() for p in of])
    size = SizeAndSeed(256, 8, seed)
    TrainingPlan(name, source, size, TrainerConfig(device="cpu"), settings, knowledge).run(path)
    return SaeCheckpoint(path).load().eval().requires_grad_(False)


def _knowledge(proteins: Sequence[Protein]) -> Knowledge:
    concepts = {"concept_idx": range(len(CONCEPTS)), "concept_id": CONCEPTS}
    carried = [(p.protein_id, i) for p in proteins for i, c in enumerate(CONCEPTS) if p.labels[c]]
    tables = LabelTables(
        pd.DataFrame({**concepts, "aspect": "planted", "level": "protein"}),
        pd.DataFrame(carried, columns=["protein_id", "concept_idx"]),
        pd.DataFrame({"protein_id": [p.protein_id for p in proteins], "aspect": "planted"}),
        pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)),
    )
    rare_is_on = [("NF1", CONCEPTS.index("rare_tag"), -1, CONCEPTS.index("switch"))]
    return Knowledge(tables, pd.DataFrame(rare_is_on, columns=["normal_form", "c", "relation", "d"]))


def template(protein: Protein) -> Template:
    """Return what is written anew: the motif at all sites, and a share of the other residues."""
    drawn = numpy_generator(0, "planted mask", protein.protein_id).random(len(protein.sequence))
    masked = protein.residues("motif") | (drawn < ELSEWHERE)
    return Template(protein.protein_id, protein.sequence, masked)


def judged(proteins: Sequence[Protein], sequences: Sequence[str]) -> pd.DataFrame:
    """Return `hit` (the motif stands at every site) and `isolation`: the share of the masked residues of cue,
    tail and word that are written as they were."""
    rows = []
    for protein, sequence in zip(proteins, sequences, strict=True):
        places = np.flatnonzero(template(protein).masked & protein.residues("cue", "tail", "word"))
        kept = [sequence[i] == protein.sequence[i] for i in places]
        hit = float(protein.motif_of(sequence) == ALL_SITES)
        rows.append((protein.protein_id, hit, np.mean(kept) if kept else np.nan))
    return pd.DataFrame(rows, columns=["protein_id", "hit", "isolation"])


def steer(bench: Bench) -> pd.DataFrame:
    """Return judged designs of all arms on test, the strength chosen on validation."""
    proteins = {split: bench.sources(split) for split in N_STEERED}
    templates = {split: [template(p) for p in of] for split, of in proteins.items()}
    parts = []

    def written(split: str, edit: Edit | None, strength: float) -> list[str]:
        return [one.sequence for one in bench.decoder.decode(templates[split], edit, strength)]

    def add(
        arm: str, sequences: Sequence[str], strength: float = 0.0, most: float = np.nan, about: str = ""
    ) -> None:
        found = judged(proteins["test"], sequences).assign(arm=arm, seed=bench.seed, about=about)
        parts.append(found.assign(strength=strength, most_on_validation=most))

    add("unsteered", written("test", None, 0.0))
    add("splice_only", written("test", LatentEdit(bench.sae["protsae"], keep_error=False), 0.0))
    for arm in bench.arms():
        tried = {s: judged(proteins["validation"], written("validation", arm.edit, s)) for s in STRENGTHS}
        means = {s: found[["hit", "isolation"]].mean() for s, found in tried.items()}
        score = {s: float(harmonic_mean(*values)) for s, values in means.items()}
        strength = max(tried, key=lambda s: (score[s], -s))
        sequences = written("test", arm.edit, strength)
        add(arm.name, sequences, strength, max(one["hit"] for one in means.values()), arm.about)
        if arm.name == "named":
            pairs = zip(sequences, proteins["test"], strict=True)
            changed = [sum(a != b for a, b in zip(one, p.sequence, strict=True)) for one, p in pairs]
            rng = numpy_generator(bench.seed, "planted random mutations")
            add("random_mutations", random_mutations(templates["test"], changed, rng))
    return pd.concat(parts, ignore_index=True)


def arm_table(designs: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each arm: means over seeds, intervals over proteins."""
    ids = np.array(sorted(set(designs["protein_id"])))
    by_arm = dict(list(designs.groupby("arm", sort=False)))
    hits = {arm: of.groupby("protein_id")["hit"].mean()[ids].to_numpy() for arm, of in by_arm.items()}
    rows = []
    for arm, of in by_arm.items():
        less = hits[arm] - hits[REFERENCE]
        of_seeds = of.groupby("seed")[["hit", "most_on_validation"]].mean()
        low, high = percentile_interval(_means(hits[arm]))
        less_low, less_high = percentile_interval(_means(less))
        rows.append(
            {
                "arm": arm,
                "about": "; ".join(filter(None, of.groupby("seed")["about"].first())),
                "motif": hits[arm].mean(),
                "low": low,
                "high": high,
                "sd_of_seeds": of_seeds["hit"].std(),
                "isolation": of["isolation"].mean(),
                "strength": of["strength"].mean(),
                "most_on_validation": of_seeds["most_on_validation"].mean(),
                "difference": less.mean(),
                "difference_low": less_low,
                "difference_high": less_high,
                "detectable": smallest_difference(_means(less)),
                "n_proteins": len(ids),
                "n_seeds": len(of_seeds),
            }
        )
    return pd.DataFrame(rows)


def _means(values: Floats) -> Floats:
    """Return the mean over proteins in every resample [N_RESAMPLES]."""
    weights = cluster_weights(np.arange(len(values)), N_RESAMPLES, numpy_generator(0, "planted", len(values)))
    return weights @ values / weights.sum(axis=1)


def effects(bench: Bench) -> pd.DataFrame:
    """Return association with the switch and effect on the motif, latent by latent.

    The effect is the change of the log-odds of the two motifs at masked sites of proteins that are off, as a
    share of the change that the other tag makes. A cause makes the motif the more probable one: what merely
    destroys what the model knows brings the log-odds to 0 at most. Latents that are dead in training are left
    out.
    """
    proteins = bench.sources("validation")
    plain = [Template(p.protein_id, p.sequence, p.residues("motif")) for p in proteins]
    swapped = [Template(p.protein_id, p.with_tag(ON_TAG), p.residues("motif")) for p in proteins]
    off = _log_odds(bench.decoder, plain, None)
    by_tag = _log_odds(bench.decoder, swapped, None) - off
    rows = []
    for name, sae in bench.sae.items():
        association = bench.association(name, "validation")
        alive = (bench.pooled[name]["train"] > 0).any(axis=0)
        for latent in np.flatnonzero(alive).tolist():
            edit = latent_arm("", sae, {latent: 1.0}, bench.length).edit
            odds = _log_odds(bench.decoder, plain, edit)
            label = CONCEPTS[latent] if latent < sae.n_defined else ""
            shared = (name, bench.seed, latent, label)
            rows.append((*shared, association[latent], (odds - off) / by_tag, odds > 0))
    columns = ["method", "seed", "latent", "concept", "association", "effect", "writes_motif"]
    table = pd.DataFrame(rows, columns=columns)
    kinds = {(True, True): "cause", (True, False): "correlate", (False, True): "hidden_cause"}
    flags = zip(table["association"] >= ASSOCIATED, table["writes_motif"], strict=True)
    return table.assign(quadrant=[kinds.get(pair, "neither") for pair in flags])


def _log_odds(decoder: Decoder, templates: Sequence[Template], edit: Edit | None) -> float:
    masked = torch.from_numpy(np.concatenate([one.masked for one in templates]))
    found = decoder.log_probabilities([one.sequence for one in templates], masked, edit, EFFECT_STRENGTH)
    places = np.arange(len(found))
    on, off = (
        found[places, np.resize([AMINO_ACIDS.index(c) for c in motif], len(found))]
        for motif in (ON_MOTIF, OFF_MOTIF)
    )
    return float(np.mean(on - off))


def explain(bench: Bench) -> pd.DataFrame:
    """Return how well attribution finds the planted residues and the named latent, protein by protein."""
    targets: dict[str, tuple[Callable[[Protein], TargetConfig], tuple[str, ...]]] = {
        "predictor": (
            lambda _: TargetConfig(kind="predictor", concept_id="switch"),
            ("tag", "motif"),
        ),
        "motif_from_tag": (_motif_target, ("tag",)),
    }
    carriers = [p for p in bench.proteins["test"] if p.labels["switch"]][:N_EXPLAINED]
    rows = []
    for target, (make, parts) in targets.items():
        for protein in carriers:
            about = {"target": target, "seed": bench.seed, "protein_id": protein.protein_id}
            rows += [{**about, **row} for row in _explained(bench, protein, make(protein), parts)]
    return pd.DataFrame(rows)


def _explained(
    bench: Bench, protein: Protein, target: TargetConfig, parts: Sequence[str]
) -> Iterator[dict[str, object]]:
    found = attribute(
        protein.sequence, bench.plm, bench.sae["protsae"], HOOK_POINT, target, AttributionConfig()
    )
    rank = np.flatnonzero(found.latents["latent"] == 0) + 1
    named = {"rank_of_named": int(rank[0]) if len(rank) else np.nan}
    residues = found.residues.assign(eagle=0.0)
    for region in found.regions.itertuples():
        residues.loc[region.start : region.end - 1, "eagle"] = -float(region.rank)
    residues = residues[~residues["is_masked"]]
    truth = protein.residues(*parts)[residues["residue_index"]]
    for method in ("at_input", "at_hook_point", "occlusion", "eagle"):
        auc = pairwise_auc(residues[[method]].to_numpy(), truth[:, None])[0, 0]
        yield {"what": "residues", "method": method, "auc": auc, **named}
    yield from found.summary.to_dict("records")


def _motif_target(protein: Protein) -> TargetConfig:
    """Return the prediction of the motif at all sites, which are masked: the tag alone can tell."""
    positions = tuple(int(i) + 1 for i in np.flatnonzero(protein.residues("motif")))
    return TargetConfig(kind="logit", positions=positions, letters=ALL_SITES, against=OFF_MOTIF * N_SITES)


def attribution_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return means over proteins and seeds, with intervals of the AUC over proteins."""
    found = []
    for (target, what, method), of in rows.groupby(["target", "what", "method"], sort=False):
        by_protein = of.groupby("protein_id")["auc"].mean().to_numpy()
        low, high = percentile_interval(_means(by_protein))
        columns = ["auc", "n_kept", "n_settled", "insertion_auc", "deletion_auc"]
        found.append(
            {
                "target": target,
                "what": what,
                "method": method,
                **of[columns].mean().to_dict(),
                "low": low,
                "high": high,
                "median_rank_of_named": of["rank_of_named"].median(),
                "n_proteins": len(by_protein),
            }
        )
    return pd.DataFrame(found)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where model and dictionaries are kept")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the tables")
    given = parser.parse_args()
    torch.set_num_threads(1)
    about: dict[str, object] = {**provenance()}
    started = time.monotonic()
    designs, latents, explained = [], [], []
    for seed in given.seeds:
        bench = Bench(given.folder, seed)
        designs.append(steer(bench))
        latents.append(effects(bench))
        explained.append(explain(bench))
        print(f"seed {seed}: {time.monotonic() - started:.0f} s", flush=True)
    arms = arm_table(pd.concat(designs, ignore_index=True))
    every = pd.concat(latents, ignore_index=True)
    counts = every[every["concept"] == ""].groupby(["method", "quadrant"]).size() / len(given.seeds)
    tables = {
        "planted_steering": arms,
        "planted_steering_latents": every[(every["concept"] != "") | (every["quadrant"] != "neither")],
        "planted_attribution": attribution_table(pd.concat(explained, ignore_index=True)),
    }
    for name, table in tables.items():
        write_text_atomic(given.output / f"{name}.csv", table.to_csv(index=False, float_format="%.4g"))
        print(table.head(60).to_string())
    seconds = round(time.monotonic() - started)
    free = [{"method": m, "quadrant": q, "n": round(n, 1)} for (m, q), n in counts.items()]
    about |= {"seconds": seconds, "free_latents_per_seed": free}
    write_json(given.output / "planted_steering.json", about)
    motif = arms.set_index("arm")["motif"]
    worst = float(motif[list(CONTROLS)].max())
    print(json.dumps({"named": round(motif["named"], 3), "worst_control": round(worst, 3)}))


if __name__ == "__main__":
    main()
