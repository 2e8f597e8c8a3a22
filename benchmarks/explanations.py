"""How well explanations by rules predict where latents fire: defined latents, TopK's best, and frozen ones.

Needs a finished `kedro run` (with `--params dictionaries.frozen_decoder.architecture=frozen_decoder` on the
demo, so that there is a frozen dictionary) or `kedro run --env antibody`. Replaces the rows of that run in
docs/results/explanations.csv (means) and docs/results/explanations_by_concept.csv.

    python benchmarks/explanations.py [--env antibody] [--draws 10] [--shuffles 10]

Each concept has one latent per dictionary: its own where the dictionary is guided (`defined`), else the one
with the largest F1 on validation (`best`). F1 is of proteins or of residues, whichever carry the concept; its
threshold is chosen on validation, its value and its floor (a latent that always fires) are on test.
`all` are all scored latents of a dictionary.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.finished_run import FinishedRun
from helpers.provenance import ROOT, provenance
from protsae.core.files import write_text_atomic
from protsae.explanation.explainer import Explainer
from protsae.explanation.tables import SCORES, explanation_table
from protsae.interpretation.dictionary import EncodedDictionary
from protsae.interpretation.matching import match_latents
from protsae.interpretation.residues import count_on_validation
from protsae.metrics.association import THRESHOLDS, AssociationAccumulator

RESULTS = ROOT / "docs/results"
TABLE, BY_CONCEPT = RESULTS / "explanations.csv", RESULTS / "explanations_by_concept.csv"
NUMBERS = [column for score in SCORES for column in (score, f"{score}_floor")]


def f1_of_proteins(run: FinishedRun, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return F1 on validation and on test [n_latents, n_concepts], and the floor on test [n_concepts]."""
    labelled, matching = run.labelled, run.load("params:interpretation.matching")
    tables = run.load(f"{name}.latent_statistics"), run.load(f"{name}.encoding")
    codes = run.load(f"{name}.residue_codes")
    subject = EncodedDictionary.of(codes.run, *tables, labelled.ids, matching.pooling)
    found = match_latents(subject.pooled, labelled.protein_labels, matching)
    return found.validation.f1, found.test.f1, found.always_on


def f1_of_residues(run: FinishedRun, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same for the concepts of residues."""
    codes, labelled = run.load(f"{name}.residue_codes"), run.labelled
    largest, validation = count_on_validation(codes, labelled, THRESHOLDS)
    test = AssociationAccumulator(largest, labelled.known_together, THRESHOLDS)
    for names, part in codes.read(labelled.ids["test"]):
        test.update(part, labelled.truth("test", names))
    counts = test.counts()
    on_validation, on_test = (
        np.stack([of.scores(c).f1 for c in range(len(labelled.of_residues))], axis=1)
        for of in (validation, counts)
    )
    at = on_validation.argmax(axis=2)[..., None]
    f1 = (np.take_along_axis(of, at, axis=2)[..., 0] for of in (on_validation, on_test))
    return (*f1, counts.always_on())


def latents_of_concepts(run: FinishedRun, name: str, kind: np.ndarray) -> pd.DataFrame:
    """Return concept, its latent, F1 on test and floor, one row per concept."""
    labelled, tables = run.labelled, []
    n_defined = int((kind == "defined").sum())
    for level, columns in (("protein", labelled.of_proteins), ("residue", labelled.of_residues)):
        if not len(columns):
            continue
        validation, test, floor = (f1_of_proteins if level == "protein" else f1_of_residues)(run, name)
        latent = columns if n_defined else validation.argmax(axis=0)
        about = labelled.concepts.iloc[columns][["aspect", "concept_id", "name"]]
        scores = {"f1_test": test[latent, np.arange(len(columns))], "f1_test_always_on": floor}
        group = "defined" if n_defined else "best"
        tables.append(about.assign(group=group, level=level, latent=latent, **scores))
    return pd.concat(tables, ignore_index=True)


def explain(run: FinishedRun, name: str, arguments: argparse.Namespace) -> pd.DataFrame:
    """Return the explanations of a dictionary with the kind of each latent."""
    config = run.load("params:explanation.rules")
    config = config.model_copy(update={"n_draws": arguments.draws, "n_shuffles": arguments.shuffles})
    codes, latents = run.load(f"{name}.residue_codes"), run.load(f"{name}.latents")
    explained = Explainer(codes, latents, run.labelled, config).explain()
    table = explanation_table(explained, name, config)
    kinds = table["rule"].str.findall(r'"kind": "(\w+)"')
    return table.assign(
        kind=latents["kind"].to_numpy(),
        with_concept=kinds.map(lambda of: "concept" in of),
        letters_alone=kinds.map(lambda of: of == ["letters"]),
    )


def means(table: pd.DataFrame) -> pd.Series:
    """Return the means of a group over its scored latents, and how many there are."""
    scored = table[table["n_scored"] > 0]
    found = scored[[*NUMBERS]].mean()
    return pd.Series(
        {
            "n_latents": len(table),
            "n_scored": len(scored),
            "f1_test": table["f1_test"].mean(),
            "f1_test_always_on": table["f1_test_always_on"].mean(),
            **found.to_dict(),
            "detection_sd": scored["detection"].std(),
            "share_high": (scored["confidence"] == "high").mean(),
            "share_medium": (scored["confidence"] == "medium").mean(),
            "share_with_concept": scored["with_concept"].mean(),
            "share_letters_alone": scored["letters_alone"].mean(),
        }
    )


def main() -> None:
    """Explain all dictionaries of a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default=None)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--shuffles", type=int, default=10)
    parser.add_argument("--project", type=Path, default=ROOT, help="where the finished run lies")
    arguments = parser.parse_args()
    origin = provenance()
    run = FinishedRun(arguments.env, project=arguments.project)
    data = arguments.env or "demo"
    concepts, groups = [], []
    for name in run.load("parameters")["dictionaries"]:
        table = explain(run, name, arguments)
        chosen = latents_of_concepts(run, name, table["kind"].to_numpy(object))
        joined = chosen.merge(table.drop(columns=["method", "concept_id"]), on="latent", how="left")
        concepts.append(joined.assign(data=data, dictionary=name))
        every = table.assign(
            level="", f1_test=np.nan, f1_test_always_on=np.nan, group=table["kind"].radd("all ")
        )
        for (group, level), rows in pd.concat([joined, every]).groupby(["group", "level"], sort=True):
            about = {"data": data, "dictionary": name, "latents": group, "level": level}
            groups.append({**about, **means(rows)})
    origin_of = {key: origin[key] for key in ("command", "commit")}
    columns = ["data", "dictionary", "group", "level", "aspect", "concept_id", "name", "latent", "f1_test"]
    columns += ["f1_test_always_on", *NUMBERS, "n_scored", "confidence", "sentence"]
    replace(BY_CONCEPT, data, pd.concat(concepts)[columns])
    table = pd.DataFrame(groups).assign(n_draws=arguments.draws, n_shuffles=arguments.shuffles, **origin_of)
    replace(TABLE, data, table.astype({"n_latents": int, "n_scored": int}))
    print(table.drop(columns=list(origin_of)).round(3).to_string())


def replace(path: Path, data: str, rows: pd.DataFrame) -> None:
    """Put rows in the place of those of the same data."""
    others = pd.read_csv(path) if path.exists() else rows.iloc[:0]
    kept = others[others["data"] != data]
    tables = [table for table in (kept, rows) if len(table)]
    joined = pd.concat(tables).sort_values("data", kind="stable", key=lambda of: of != "demo")
    write_text_atomic(path, joined.to_csv(index=False, float_format="%.4f"))


if __name__ == "__main__":
    main()
