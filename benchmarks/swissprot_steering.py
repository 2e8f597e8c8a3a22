"""Steer general proteins towards concepts by every arm; the judge reads k-mers, no language model.

Needs the outputs of a finished sweep on 20,000 proteins: `kedro run --env swissprot --pipelines sweeps
--params ingestion.sequences.n_sampled=20000`, and of the pipelines before it.

    python benchmarks/swissprot_steering.py [--project FOLDER] [--seeds 0 1 2]

Designs of a concept and seed are kept in data/swissprot/07_model_output/steering, so that a second call makes
what is missing. Tables in docs/results; docs/steering.md says how to read them:

- steering.csv: a row for each arm and concept, aspect, and all concepts (`mean`), on test;
- steering_effects.csv: of how many concepts an arm's judge score is above that of each control;
- steering_doses.csv: dose-response curves on validation;
- steering_quadrants.csv: association and causal effect of latents, counted by architecture;
- steering_latents.csv: these latents, without the random ones.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from helpers.protein_steering import ProteinBench, steer
from helpers.provenance import ROOT, provenance, write_json
from helpers.steering_arms import correlation_and_effect
from helpers.steering_tables import doses, effects, quadrants, table
from protsae.core.files import write_text_atomic
from protsae.core.seeding import lowest_hashes
from protsae.sequences.homology import SearchConfig, find_hits
from protsae.steering.naturalness import frechet_distance

RESULTS = ROOT / "docs" / "results"
CONTROLS = ("unsteered", "splice_only", "random_latent", "wrong_concept", "random_mutations")
NAMES = {"protsae": "ProtSAE", "topk": "TopK", "frozen_decoder": "TopK, frozen decoder"}
N_EMBEDDED = 10
"""Test designs of each arm, concept and seed that the second judge and the Frechet distance read."""
N_SEARCHED = 3
"""Of these, of the first seed, whose nearest natural relative is searched."""
NATURAL = "natural test proteins"
EXTRA = ("identity", "composition_distance", "hit_by_embeddings", "nearest_identity")


def made(bench: ProteinBench, folder: Path, seeds: list[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all judged designs, and association and effect of latents, of the first seed; what is there is
    not made again."""
    designs = []
    for seed in seeds:
        own = folder / f"seed{seed}"
        own.mkdir(parents=True, exist_ok=True)
        paths = [own / f"{target.concept_id.replace(':', '-')}.parquet" for target in bench.targets]
        latents = folder / f"seed{seeds[0]}" / "latents.parquet"
        if not all(path.exists() for path in (*paths, latents)):
            bench.use(seed)
        for target, path in zip(bench.targets, paths, strict=True):
            if not path.exists():
                started = time.monotonic()
                _write(steer(bench, target), path)
                print(f"{target.concept_id}, seed {seed}: {time.monotonic() - started:.0f} s", flush=True)
            designs.append(pd.read_parquet(path))
        if not latents.exists():
            every = [bench.target(name) for name in bench.concepts["concept_id"]]
            _write(correlation_and_effect(bench, every, NAMES), latents)
    return pd.concat(designs, ignore_index=True), pd.read_parquet(latents)


def _write(found: pd.DataFrame, path: Path) -> None:
    found.to_parquet(path.with_suffix(".part"))
    path.with_suffix(".part").rename(path)


def looked_at_closer(bench: ProteinBench, designs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return designs with `hit_by_embeddings` and `nearest_identity` of some of them, and the Frechet
    distance of each arm's embeddings from those of validation proteins."""
    test = designs[designs["split"] == "test"]
    drawn = [
        own.index[own["protein_id"].isin(lowest_hashes(own["protein_id"], N_EMBEDDED, "embedded"))]
        for _, own in test.groupby(["target", "seed", "arm"])
    ]
    rows = test.loc[np.concatenate(drawn)]
    texts, place = np.unique(rows["sequence"], return_inverse=True)
    column = [bench.second.concept_ids.index(name) for name in rows["target"]]
    designs.loc[rows.index, "hit_by_embeddings"] = bench.second.scores(texts.tolist())[place, column]
    embedded = bench.embeddings(texts.tolist())[place]
    natural = bench.embeddings(bench.sequences[bench.split == "validation"].tolist())
    distances = {NATURAL: bench.embeddings(bench.sequences[bench.split == "test"].tolist())}
    distances |= {str(arm): embedded[(rows["arm"] == arm).to_numpy()] for arm in rows["arm"].unique()}
    frechet = pd.DataFrame(
        [(name, "mean", frechet_distance(of, natural)) for name, of in distances.items()],
        columns=["arm", "target", "frechet"],
    )
    first = rows[rows["seed"] == rows["seed"].min()]
    searched = first.groupby(["target", "arm"]).head(N_SEARCHED)
    queries = {f"design {i}": text for i, text in searched["sequence"].items()}
    of_train = bench.split == "train"
    targets = dict(zip(bench.ids[of_train], bench.sequences[of_train], strict=True))
    best = pd.Series(0.0, index=searched.index)
    for hit in find_hits(queries, targets, SearchConfig(), min_coverage=0.5):
        i = int(hit.query_id.removeprefix("design "))
        best[i] = max(best[i], hit.identity)
    designs.loc[best.index, "nearest_identity"] = best
    return designs, frechet


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="swissprot", help="environment of the run")
    parser.add_argument("--project", type=Path, default=ROOT, help="folder of the project with the run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the tables")
    given = parser.parse_args()
    torch.set_num_threads(1)
    about, started = provenance(), time.monotonic()
    bench = ProteinBench(given.env, given.project)
    for target in bench.targets:
        print(target.concept_id, target.aspect, f"judge's AUC {bench.judge.held_out_auc[target.index]:.3f}")
    folder = ROOT / "data" / "swissprot" / "07_model_output" / "steering"
    designs, latents = made(bench, folder, given.seeds)
    designs, frechet = looked_at_closer(bench, designs)
    clusters = bench.proteins["cluster_id"]
    aspect_of = dict(zip(designs["target"], designs["aspect"], strict=True))
    groups = {target: [target] for target in aspect_of}
    groups |= {each: [t for t, of in aspect_of.items() if of == each] for each in set(aspect_of.values())}
    groups["mean"] = list(aspect_of)
    found = table(designs, clusters, groups, EXTRA).merge(frechet, how="left", on=["arm", "target"])
    columns = [target.index for target in bench.targets]
    judge = pd.DataFrame(
        {
            "target": bench.second.concept_ids,
            "judge_auc": bench.judge.held_out_auc[columns],
            "judge_auc_test": bench.test_auc[columns],
            "second_judge_auc": bench.second.held_out_auc,
        }
    )
    tables = {
        "steering": found.merge(judge, how="left", on="target"),
        "steering_effects": effects(designs, clusters, CONTROLS),
        "steering_doses": doses(designs),
        "steering_quadrants": quadrants(latents),
        "steering_latents": latents[latents["kind"] != "random"],
    }
    for name, rows in tables.items():
        write_text_atomic(given.output / f"{name}.csv", rows.to_csv(index=False, float_format="%.4g"))
    print(found[found["target"] == "mean"].to_string())
    print(tables["steering_effects"].to_string())
    print(tables["steering_quadrants"].to_string())
    eligible = {"n_concepts": len(bench.concepts), "n_eligible": int(bench.judge.is_eligible.sum())}
    eligible["frechet_natural"] = round(frechet.set_index("arm").at[NATURAL, "frechet"], 1)
    seconds = round(time.monotonic() - started)
    write_json(given.output / "steering.json", {**about, "seconds": seconds, **eligible})


if __name__ == "__main__":
    main()
