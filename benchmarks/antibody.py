"""Antibodies: are concepts ranked and located whose truth is known, and what does the language model know?

Needs the outputs of a finished `kedro run --env antibody`. Without an option two tables are made, by class of
concept: docs/results/antibody.csv (do scores rank proteins?) and docs/results/antibody_localisation.csv (do
scores of residues rank, within a protein, those that carry its concept?). Dictionaries are trained with every
seed and kept below data/antibody/06_models/seeds, so that a second call does not train again.

    python benchmarks/antibody.py [--seeds 0 1 2] [--processes 2]
    python benchmarks/antibody.py --perplexity

`mean` and `sd` are over seeds; `low` and `high` are the 95 % interval of the mean over resampled clusters of
test proteins. `gene` is all genes together: locus, V subgroup, V, D and J gene.

Localisation is measured in at most 200 test proteins per concept that carry it. The truth: for locus and V,
FR1 to FR3; for J, the last four residues of CDR3 and FR4; for D and length of CDR3, CDR3; for mutation load,
residues that differ from the germline V allele. AUC and average precision are means over proteins, then over
concepts; `fires_inside` and `fires_outside` are the shares of residues of the truth, and of the others, where
a latent is active. `position` knows where the truth lies in training proteins, by the distance from the end
that is better on validation, and `residue_identity` which amino acids have it; `local_evidence` knows
peptides and labels of training proteins; `linear_probe` is the probe on means, applied to residues.

`--perplexity` writes docs/results/antibody_perplexity.csv: masked residues of test proteins of the whole
table, by region, guessed by the language model and by three floors (helpers/germline_floors.py).
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from helpers.antibodies import (
    NAMES,
    Antibody,
    mutations_left_out,
    read_alleles,
    read_antibodies,
)
from helpers.finished_run import FinishedRun
from helpers.germline_floors import GermlineFloors, masked_guesses
from helpers.localisation import METRICS, Placed, evaluate, localise, position_scores, rate_scores
from helpers.provenance import ROOT, provenance, write_json
from helpers.seeds import over_seeds
from protsae.annotations.local_evidence import LabelledSequences, local_evidence
from protsae.core.files import write_text_atomic
from protsae.core.seeding import numpy_generator
from protsae.core.splits import HELD_OUT, SPLITS
from protsae.encoding.reading import encode
from protsae.encoding.run import Run
from protsae.metrics.bootstrap import cluster_weights, interval
from protsae.pipelines.splitting.nodes import assign_splits, audit_splits
from protsae.plm import load_plm
from protsae.pretraining.config import PerplexityConfig
from protsae.pretraining.evaluation import draw_proteins
from protsae.probing.estimates import Evaluations, Key, MethodEvaluation
from protsae.probing.judge import Judge, scores_of
from protsae.probing.logistic import LogisticProbes, choose_probes, fit_path
from protsae.probing.scores import select_latents
from protsae.probing.vocabulary import Vocabulary
from protsae.sae.base import SparseAutoencoder
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sae.protsae import ProtSae
from protsae.sequences.clonotypes import read_clonotypes
from protsae.sequences.clustering import cluster_table
from protsae.sequences.table import SequenceTableConfig, sequence_table

GENES = ("locus", "v_subgroup", "v_gene", "d_gene", "j_gene")
RANKING = ("auc", "aupr", "fmax")
COLUMNS = ("method", "class", "metric", "mean", "sd", "low", "high", "n_seeds", "n_concepts")
RESULTS = ROOT / "docs" / "results"
N_PROTEINS = 200
RESIDUES_PER_BATCH = 8192
Floats = NDArray[np.floating[Any]]
ByMethod = dict[tuple[str, str], MethodEvaluation]
Latents = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Latent of each concept and its sign, both [n_concepts]."""


class GeneVocabulary(Vocabulary):
    """Concepts of which genes also count together."""

    def columns(self) -> dict[str, NDArray[np.int64]]:
        """Return class to the indices of its concepts."""
        genes = np.flatnonzero(self.concepts["aspect"].isin(GENES))
        return {**super().columns(), "gene": genes}


class GeneJudge(Judge):
    """A judge with this vocabulary."""

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The concepts of whole proteins."""
        return GeneVocabulary.of(self.once, self.known.terms, self.known.relations)


class AntibodyRun(FinishedRun):
    """A finished run on antibodies, and what its dictionaries are worth with other seeds."""

    judge_type = GeneJudge

    @cached_property
    def table(self) -> Path:
        """The table of rearrangements."""
        return Path(self.load("raw_rearrangements"))

    @cached_property
    def alleles(self) -> dict[str, str]:
        """Germline V genes."""
        return read_alleles(self.table.parent / "germline_v.fasta")

    @cached_property
    def names(self) -> list[str]:
        """Dictionaries of the run's list."""
        return [name for name, listed in self.load("params:dictionaries").items() if listed is not None]

    def dictionary(self, name: str, seed: int) -> SparseAutoencoder:
        """Return the run's own dictionary where it has this seed, else one that is trained where it was not
        yet."""
        if (own := self.own_dictionary(name, seed)) is not None:
            return own
        path = self.sweep_folder.parent / "seeds" / f"{name}-{seed}" / "sae.safetensors"
        self.plan(name, seed).run(path)
        return SaeCheckpoint(path).load()

    def rank(self, name: str, seed: int, sae: SparseAutoencoder) -> tuple[ByMethod, Latents]:
        """Judge a dictionary on proteins; return this and the latent of each concept with its sign."""
        run = Run(name, seed, self.hook_point, sae.config_json().get("k"))
        encoding = encode(self.store, sae, run, self.encoded, self.load("params:encoding")).proteins
        judge, guided = self.judge, sae.n_defined > 0
        found = judge.judge(judge.score_dictionary(name, encoding, guided=guided), {}).evaluations
        if guided:
            return dict(found), (judge.columns, np.ones(len(judge.columns)))
        pooled = (judge.features(encoding, f"{pooling}_latents") for pooling in judge.scoring.poolings)
        each = [select_latents(latents, judge.splits, judge.scoring.selection) for latents in pooled]
        best = np.argmax([chosen.auc for chosen in each], axis=0), np.arange(len(judge.columns))
        latent, sign = (
            np.stack([getattr(chosen, part) for chosen in each])[best] for part in ("latent", "sign")
        )
        return dict(found), (latent, sign)


def train(env: str, project: Path, name: str, seed: int) -> None:
    """Train a dictionary, in a process of its own."""
    AntibodyRun(env, project=project).dictionary(name, seed)


class Localisation:
    """Antibodies of a run residue by residue, and how methods rank these."""

    def __init__(self, run: AntibodyRun) -> None:
        antibodies, self.n_without_regions = read_antibodies(run.table, run.encoded)
        self._run, judge, concepts = run, run.judge, run.judge.vocabulary.concepts
        self._labels = {
            split: of.of_proteins(np.isin(of.protein_ids, list(antibodies)))
            for split, of in judge.splits.items()
        }
        self._antibodies = {
            split: [antibodies[name] for name in of.protein_ids] for split, of in self._labels.items()
        }
        self.placed = {
            split: Placed.of(chains, run.alleles, of.labels & of.labelled, concepts["aspect"])
            for (split, chains), of in zip(self._antibodies.items(), self._labels.values(), strict=True)
        }
        ids, seed = concepts["concept_id"].tolist(), judge.evaluation.seed
        self.drawn = {split: self.placed[split].drawn(ids, N_PROTEINS, seed) for split in HELD_OUT}
        clusters = run.proteins.set_index("protein_id")["cluster_id"]
        self._weights = cluster_weights(
            clusters[self._labels["test"].protein_ids].to_numpy(),
            judge.evaluation.n_resamples,
            numpy_generator(seed, "cluster_bootstrap"),
        )
        self._x = activations(run, self._labels["test"].protein_ids, self.placed["test"].lengths)

    def judge(self, scores: Floats, fires: NDArray[np.bool_] | None = None) -> MethodEvaluation:
        """Measure scores [n_residues, n_concepts] of the residues of test proteins."""
        test = self.placed["test"]
        return evaluate(localise(scores, test, self.drawn["test"], fires), test.classes, self._weights)

    @torch.inference_mode()
    def dictionary(self, name: str, sae: SparseAutoencoder, latents: Latents) -> ByMethod:
        """Measure the latent of each concept, and the predictor and the sites if there are any."""
        columns, signs = latents
        parts = torch.split(torch.from_numpy(self._x), RESIDUES_PER_BATCH)
        acts = np.concatenate([sae.encode(part)[:, columns].numpy() for part in parts])
        found = {(f"{name}_latent", "test"): self.judge(acts * signs, acts > 0)}
        if isinstance(sae, ProtSae):
            scorers = {"predictor": sae.predictor_logits} | ({"site": sae.site_logits} if sae.sites else {})
            for kind, scorer in scorers.items():
                logits = np.concatenate([scorer(part)[:, columns].numpy() for part in parts])
                found[f"{name}_{kind}", "test"] = self.judge(logits)
        return found

    def references(self) -> ByMethod:
        """Measure what needs no dictionary."""
        train, validation, test = (self.placed[split] for split in SPLITS)
        identity = train.bins()["residue_identity"], test.bins()["residue_identity"]
        scores = {
            "linear_probe": self._probe().logits(self._x),
            "position": position_scores(train, validation, self.drawn["validation"], test),
            "local_evidence": self._local_evidence(),
            "residue_identity": rate_scores(train, *identity),
            "random": numpy_generator(0, "localisation").random((len(self._x), len(test.classes))),
        }
        return {(name, "test"): self.judge(values) for name, values in scores.items()}

    def counts(self) -> dict[str, Any]:
        """Return what is judged and what is left out."""
        test = self.placed["test"]
        of_load = test.positive[:, test.classes == "mutation_load"].any(axis=1)
        chains = [chain for chain, inside in zip(self._antibodies["test"], of_load, strict=True) if inside]
        return {
            "n_test_proteins": len(test.lengths),
            "n_chains_without_regions": self.n_without_regions,
            "mutation_load": {"n": len(chains), **mutations_left_out(chains, self._run.alleles)},
        }

    def _probe(self) -> LogisticProbes:
        """Return the linear probe on mean activations."""
        judge, scoring = self._run.judge, self._run.judge.scoring
        means = judge.features(self._run.load("mean_activations"), "activation")
        train, validation = ((means[s], judge.splits[s].labels, judge.splits[s].labelled) for s in SPLITS[:2])
        candidates = fit_path(*train, scoring.l2, precise=scoring.precise)
        return choose_probes(candidates, *validation, scoring.patience)

    def _local_evidence(self) -> Floats:
        """Return how much peptides around residues speak for concepts, by the labels of training proteins."""
        train, test = (
            LabelledSequences(
                [chain.sequence for chain in self._antibodies[split]],
                self._labels[split].labels,
                self._labels[split].labelled,
            )
            for split in ("train", "test")
        )
        config = self._run.load("params:training.guidance").local_evidence
        found = local_evidence(train, [test], config)[1]
        placed = self.placed["test"]
        return found.dense(placed.owner, placed.bins()["from_start"])


def activations(run: FinishedRun, protein_ids: Sequence[str], lengths: NDArray[np.int64]) -> Floats:
    """Return the activations of all residues of proteins, in their order [n_residues, d_model]."""
    found = {name: x for name, _, x in run.store.iter_residues(run.hook_point, protein_ids)}
    parts = [found[name] for name in protein_ids]
    if [len(part) for part in parts] != lengths.tolist():
        raise SystemExit("not all residues of test proteins are stored: extract them without a sample")
    return np.concatenate(parts)


def table(evaluations: Sequence[Evaluations], metrics: Sequence[str], confidence: float) -> pd.DataFrame:
    """Return a row per method, class and metric on test, in `COLUMNS`.

    Args:
        evaluations: one per seed; what needs no dictionary is in the first alone.
        metrics: of these, what a method has. The concepts are those that the first is averaged over.
        confidence: share of the resamples inside an interval.
    """
    methods = {method: of for each in evaluations for (method, split), of in each.items() if split == "test"}
    rows = []
    for method, found in methods.items():
        own = [each for each in evaluations if (method, "test") in each]
        classes = [key.aspect for key in found.estimates if key == Key.of(metrics[0], key.aspect)]
        for name, metric in product([name for name in classes if name != "mean"], metrics):
            if Key.of(metric, name) not in found.estimates:
                continue
            estimate = over_seeds(own, method, metric, name)
            mean = float(estimate.values.mean())
            sd = float(estimate.values.std(ddof=1)) if len(own) > 1 else np.nan
            bounds = interval(metric, mean, estimate.samples, confidence)
            n_concepts = found[metrics[0], name].n
            rows.append((method, name, metric, mean, sd, *bounds, len(own), n_concepts))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def concepts(run: AntibodyRun, seeds: Sequence[int]) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return how proteins are ranked, how residues are, and counts."""
    localisation = Localisation(run)
    scores = scores_of(run.load("references.concept_scores"), run.judge)
    ranked: list[ByMethod] = [dict(run.judge.judge(scores, {}).evaluations)]
    located = [localisation.references()]
    for place, seed in enumerate(seeds):
        if place:
            ranked.append({})
            located.append({})
        for name in run.names:
            sae = run.dictionary(name, seed)
            found, latents = run.rank(name, seed, sae)
            ranked[-1] |= found
            located[-1] |= localisation.dictionary(name, sae, latents)
            print(f"{name}, seed {seed}", flush=True)
    confidence = run.judge.evaluation.confidence
    return table(ranked, RANKING, confidence), table(located, METRICS, confidence), localisation.counts()


def whole_proteins(run: AntibodyRun) -> pd.DataFrame:
    """Return the proteins of the whole table, dealt to splits as the run deals its sample."""
    sequences, _ = sequence_table(run.table, SequenceTableConfig())
    clonotypes = read_clonotypes(run.table, sequences)
    clusters, report = cluster_table(sequences, None, run.load("params:ingestion.clusters"), clonotypes)
    nothing_known = pd.DataFrame(columns=["protein_id", "concept_id"], dtype="str")
    split = run.load("params:splitting.split").model_copy(
        update={"salt": run.load("split_report")["salt"], "n_salts": 1}
    )
    assignment, _ = assign_splits(clusters, report, nothing_known, split)
    audit = run.load("params:splitting.audit")
    return audit_splits(sequences, assignment, report, clonotypes, audit)[0]


def whole_table(run: AntibodyRun) -> tuple[dict[str, list[Antibody]], int]:
    """Return the antibodies of the whole table by split, and how many chains their regions do not fill."""
    proteins = whole_proteins(run)
    antibodies, n_left_out = read_antibodies(run.table, proteins)
    known = proteins[proteins["protein_id"].isin(antibodies)].groupby("split")["protein_id"]
    return {str(name): [antibodies[i] for i in ids] for name, ids in known}, n_left_out


def perplexity(run: AntibodyRun, n_proteins: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return perplexities of the language model and of floors by region, and counts."""
    splits, n_left_out = whole_table(run)
    config, test = PerplexityConfig(), splits["test"]
    drawn = [test[i] for i in draw_proteins([chain.sequence for chain in test], n_proteins, config.seed)]
    floors = GermlineFloors(splits["train"], run.alleles)
    module = load_plm(run.load("plm_checkpoint")).module
    regions, guesses = masked_guesses(module, floors, drawn, config)
    rows = []
    for (method, values), region in product(guesses.items(), (*NAMES, "all")):
        own = values[np.isin(regions, region) | (region == "all")]
        rows.append((method, region, len(own), own.mean(), np.exp(own.mean())))
    columns = ["method", "region", "n_residues", "cross_entropy", "perplexity"]
    about = {
        "n_proteins": {name: len(chains) for name, chains in splits.items()},
        "n_chains_without_regions": n_left_out,
        "n_judged": len(drawn),
        "mask_probability": config.mask_probability,
        "differ_from_germline": floors.mutated,
    }
    return pd.DataFrame(rows, columns=columns), about


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="antibody", help="environment of the run")
    parser.add_argument("--project", type=Path, default=ROOT, help="folder of the project with the run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--processes", type=int, default=1, help="trainings at the same time")
    parser.add_argument("--perplexity", action="store_true", help="judge the language model instead")
    parser.add_argument("--n-proteins", type=int, default=2000, help="test proteins for --perplexity")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the tables")
    given = parser.parse_args()
    about, started = provenance(), time.monotonic()
    run = AntibodyRun(given.env, project=given.project)
    if given.perplexity:
        name = "antibody_perplexity"
        found, counts = perplexity(run, given.n_proteins)
        tables = {name: found}
    else:
        name = "antibody"
        jobs = [(given.env, given.project, *job) for job in product(run.names, given.seeds)]
        with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
            list(pool.map(train, *zip(*jobs, strict=True)))
        ranked, located, counts = concepts(run, given.seeds)
        tables = {name: ranked, "antibody_localisation": located}
        counts = {"gene": GENES, **counts}
    for each, rows in tables.items():
        write_text_atomic(given.output / f"{each}.csv", rows.to_csv(index=False, float_format="%.5g"))
        print(rows.to_string())
    seconds = round(time.monotonic() - started)
    write_json(given.output / f"{name}.json", {**about, "seconds": seconds, **counts})


if __name__ == "__main__":
    main()
