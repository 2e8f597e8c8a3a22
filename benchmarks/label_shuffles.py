"""Twenty label shuffles on the demo: docs/results/label_shuffles.json.

Needs the outputs of a finished `kedro run`.

    python benchmarks/label_shuffles.py [--shuffles 20] [--retrain EPOCHS]

Whole label vectors are permuted among training and among validation proteins; every method learns and
chooses from these, and is judged by the true labels of test. No method may rank better than chance: the
family-wise interval of each mean macro AUC has to contain .5. Likewise latents are chosen by F1 on shuffled
validation labels and tested on shuffled test labels: no more shuffles may have a latent that passes than
Benjamini-Hochberg allows. `--retrain` also trains ProtSAE on every shuffle, for this number of epochs: its
latents and predictor are the only rows that see labels in training. The last line printed is one JSON
object.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from demo_seeds import Demo
from helpers.provenance import ROOT, provenance, write_json
from helpers.shuffles import family_interval, firing_p_values, most_false
from protsae.annotations.labels import LabelTables
from protsae.core.seeding import numpy_generator
from protsae.encoding.reading import encode
from protsae.encoding.run import Run
from protsae.interpretation.config import MatchingConfig
from protsae.interpretation.matching import match_latents
from protsae.metrics.bootstrap import macro_mean
from protsae.metrics.ranking import roc_auc
from protsae.metrics.significance import benjamini_hochberg
from protsae.probing.baselines import score_baselines
from protsae.probing.scores import prevalence_scores, probe_scores, select_latents
from protsae.probing.shuffles import LEARNT, shuffle_labels
from protsae.probing.splits import SplitLabels, feature_matrix
from protsae.training.fit import fit
from protsae.training.task import Knowledge, SizeAndSeed, Source, TrainingTask

RATE = 0.05
Splits = dict[str, SplitLabels]


class Shuffler:
    """The datasets of a finished run, and what methods make of them with other labels."""

    def __init__(self, demo: Demo) -> None:
        self.demo, self.columns, self.splits = demo, demo.columns, demo.splits
        scoring = demo.load("params:probing.scoring")
        self.scoring = scoring.model_copy(update={"precise": False, "patience": 1})
        column = f"{scoring.pooling}_latents"
        sources = {name: (demo.load(f"{name}.encoding"), column) for name in ("protsae", "topk")}
        sources["linear"] = demo.load("mean_activations"), "activation"
        self.features = {
            name: {s: feature_matrix(table, column, of.protein_ids) for s, of in self.splits.items()}
            for name, (table, column) in sources.items()
        }
        self.baselines = demo.proteins, demo.load("neighbours"), demo.load("random_mean_activations")

    def auc(self, learnt: Splits) -> dict[str, float]:
        """Return macro AUC against the true labels of test, of all that learns from these labels."""
        latents = self.features["topk"]
        chosen = select_latents(latents, learnt, self.scoring.selection)
        scores: dict[str, Any] = {"topk_latent": {"test": chosen.scores(latents["test"])}}
        for name, features in self.features.items():
            scores[f"{name}_probe"] = probe_scores(features, learnt, self.scoring)
        scores["prevalence"] = prevalence_scores(learnt)
        scores |= score_baselines(*self.baselines, learnt, self.scoring)
        return {method: self.judged(by_split["test"]) for method, by_split in scores.items()}

    def retrained(self, seed: int, epochs: int) -> dict[str, float]:
        """Return macro AUC of a ProtSAE trained on shuffled labels: its latents and its predictor."""
        demo = self.demo
        trainer = demo.load("params:training.trainer").model_copy(update={"epochs": epochs})
        size = SizeAndSeed(demo.load("params:training.d_sae"), demo.load("params:training.k"), seed)
        source = Source(demo.store, demo.hook_point, demo.proteins)
        settings = {"guidance": demo.load("params:training.guidance")}
        knowledge = Knowledge(shuffled_tables(demo.tables, demo.proteins, seed), demo.axioms)
        (sae, _), _ = fit(TrainingTask("protsae", source, size, trainer, settings, knowledge))
        run = Run("protsae", seed, demo.hook_point, size.k)
        test = demo.encoded[demo.encoded["split"] == "test"]
        found = encode(demo.store, sae.eval(), run, test, demo.load("params:encoding")).proteins
        ids = self.splits["test"].protein_ids
        names = {"protsae_latent": "mean_latents", "protsae_predictor": "protein_logits"}
        return {
            method: self.judged(feature_matrix(found, column, ids)[:, self.columns])
            for method, column in names.items()
        }

    def judged(self, scores: np.ndarray) -> float:
        """Return macro AUC against the true labels of test."""
        truth = self.splits["test"]
        return float(macro_mean(roc_auc(scores, truth.labels, truth.labelled))[0])

    def n_passing(self, dictionary: str, splits: Splits) -> int:
        """Return how many concepts have a latent that passes: best F1 on validation, significant on test."""
        config: MatchingConfig = self.demo.load("params:interpretation.matching")
        latents = self.features[dictionary]
        test = splits["test"]
        matches = match_latents(latents, splits, config)
        best = matches.validation.f1.argmax(axis=0)
        fires = latents["test"][:, best] > matches.threshold[best, np.arange(len(best))]
        return int((benjamini_hochberg(firing_p_values(fires, test.labels, test.labelled)) <= RATE).sum())


def shuffled_tables(tables: LabelTables, proteins: pd.DataFrame, seed: int) -> LabelTables:
    """Permute the labels of whole proteins among training and among validation proteins.

    Concepts of residues keep theirs: a stretch of one protein is none of another.
    """
    owner: dict[str, str] = {}
    for split in LEARNT:
        ids = sorted(proteins.loc[proteins["split"] == split, "protein_id"])
        order = numpy_generator(seed, "label_shuffles", split).permutation(len(ids))
        owner |= dict(zip(ids, np.array(ids)[order].tolist(), strict=True))
    whole = tables.concepts["level"] == "protein"
    moved = tables.protein_labels["concept_idx"].isin(tables.concepts.loc[whole, "concept_idx"])
    aspects = tables.labelled_aspects["aspect"].isin(tables.concepts.loc[whole, "aspect"])

    def permuted(table: pd.DataFrame, where: pd.Series) -> pd.DataFrame:
        ids = table["protein_id"]
        return table.assign(protein_id=ids.map(lambda name: owner.get(name, name)).where(where, ids))

    return LabelTables(
        tables.concepts,
        permuted(tables.protein_labels, moved),
        permuted(tables.labelled_aspects, aspects),
        tables.residue_labels,
    )


def main() -> int:
    """Shuffle, judge, print and write; return 1 where something passes that may not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shuffles", type=int, default=20)
    parser.add_argument("--retrain", type=int, default=0, metavar="EPOCHS")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/results/label_shuffles.json")
    given = parser.parse_args()
    about, shuffler = provenance(), Shuffler(Demo(None))
    found: list[dict[str, float]] = []
    passing: dict[str, list[int]] = {"protsae": [], "topk": []}
    for seed in range(given.shuffles):
        row = shuffler.auc(shuffle_labels(shuffler.splits, seed))
        row |= shuffler.retrained(seed, given.retrain) if given.retrain else {}
        found.append(row)
        shuffled = shuffle_labels(shuffler.splits, seed, ("validation", "test"))
        for dictionary, counts in passing.items():
            counts.append(shuffler.n_passing(dictionary, shuffled))
        print(f"shuffle {seed + 1} of {given.shuffles} done", flush=True)
    methods, n = {}, len(found[0])
    for method in found[0]:
        values = [row[method] for row in found]
        interval = family_interval(values, n)
        methods[method] = {
            "auc": float(np.mean(values)),
            "low": interval.low,
            "high": interval.high,
            "holds_half": bool(interval.low <= 0.5 <= interval.high),
        }
    allowed = most_false(given.shuffles, RATE)
    selection = {
        name: {
            "n_shuffles_with_any": sum(count > 0 for count in counts),
            "n_allowed": allowed,
            "n_passing": counts,
            "n_passing_true_labels": shuffler.n_passing(name, shuffler.splits),
            "n_concepts": len(shuffler.columns),
        }
        for name, counts in passing.items()
    }
    result = {**about, "n_shuffles": given.shuffles, "methods": methods, "f1_selection": selection}
    write_json(given.output, result)
    print(json.dumps(result))
    wrong = [name for name, about_it in methods.items() if not about_it["holds_half"]]
    wrong += [name for name, counts in selection.items() if counts["n_shuffles_with_any"] > allowed]
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
