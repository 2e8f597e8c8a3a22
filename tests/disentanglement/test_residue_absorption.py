"""Absorption on residues: a planted case, a slow version residue by residue, nothing where none is nested."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from tests.code_store import stored_codes

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.disentanglement.absorption import residue_absorption
from protsae.disentanglement.config import AbsorptionConfig
from protsae.disentanglement.nesting import COLUMNS
from protsae.encoding.run import Run
from protsae.interpretation.dictionary import EncodedDictionary
from protsae.metrics.association import THRESHOLDS
from protsae.ontology.obo import Ontology
from protsae.probing.labelled import LabelledProteins

RUN = Run("protsae", 0, "hook", 4)
TERMS = pd.DataFrame(
    {
        "term_id": ["GO:1", "f:site", "f:metal"],
        "aspect": ["BPO", "feature", "feature"],
        "level": ["protein", "residue", "residue"],
        "is_obsolete": False,
    }
)
RELATIONS = pd.DataFrame([("f:metal", "is_a", "f:site")], columns=["child_id", "relation", "parent_id"])
CONCEPTS = pd.DataFrame(
    {
        "concept_idx": [0, 1, 2],
        "concept_id": ["GO:1", "f:metal", "f:site"],
        "name": ["process", "metal", "site"],
        "aspect": ["BPO", "feature", "feature"],
        "level": ["protein", "residue", "residue"],
    }
)
ONTOLOGY = Ontology(TERMS, RELATIONS)
CONFIG = AbsorptionConfig(n_resamples=20, min_carriers=1)


def measured(activations, spans, n_defined, labelled=None, config=CONFIG):
    """Run over proteins of two splits, each a cluster of its own.

    Args:
        activations: protein id (v.. validation, t.. test) to [length, n_latents].
        spans: rows of residue labels.
        n_defined: how many latents are defined, in the order of the concepts.
        labelled: proteins labelled for features; all unless given.
    """
    ids = list(activations)
    split = {"v": "validation", "t": "test"}
    proteins = pd.DataFrame(
        {
            "protein_id": ids,
            "sequence": ["A" * len(activations[p]) for p in ids],
            "split": [split[p[0]] for p in ids],
            "cluster_id": [f"c{p}" for p in ids],
        }
    )
    residue_labels = pd.DataFrame(spans, columns=list(RESIDUE_LABEL_COLUMNS))
    known = pd.DataFrame({"protein_id": ids if labelled is None else labelled, "aspect": "feature"})
    nobody = pd.DataFrame({"protein_id": pd.Series(dtype="str"), "concept_idx": pd.Series(dtype="int32")})
    tables = LabelTables(CONCEPTS, nobody, known, residue_labels)
    return residue_absorption(*encoded(activations, n_defined), lined_up(proteins, tables), ONTOLOGY, config)


def encoded(activations, n_defined):
    """Return codes that are the activations, where these are positive, and their dictionary."""
    d_sae = next(iter(activations.values())).shape[1]
    index = np.array([i if i < n_defined else -1 for i in range(d_sae)])
    kind = np.where(index >= 0, "defined", "free").astype(object)
    split_of = {p: "validation" if p[0] == "v" else "test" for p in activations}
    with TemporaryDirectory() as folder:
        codes = stored_codes(Path(folder), activations, split_of)
        return codes, EncodedDictionary(RUN, kind, index, {}, {})


def lined_up(proteins, tables):
    """Line up the proteins, with one more in training."""
    one = proteins.iloc[[0]].assign(protein_id="r1", split="train")
    everyone = pd.concat([proteins, one], ignore_index=True)
    return LabelledProteins.of(everyone, tables, everyone["protein_id"])


def test_site_latent_that_is_silent_on_metals_is_absorbed():
    """Of 10 residues 0 to 5 are a site, 0 to 3 a metal; latent 0 fires on 3 to 5, latent 1 on 0 to 2."""
    x = np.zeros((10, 2))
    x[3:6, 0], x[:3, 1] = 2.0, 1.0
    ids = ["v1", "v2", "t1", "t2", "t3"]
    spans = [(p, 2, 0, 0, 6) for p in ids] + [(p, 1, 0, 0, 4) for p in ids]
    table, rows = measured(dict.fromkeys(ids, x), spans, 0)
    (row,) = table.to_dict("records")
    assert tuple(table.columns) == COLUMNS
    named = [row[name] for name in ("child_id", "parent_id", "level", "kind")]
    assert named == ["f:metal", "f:site", "residue", "free"]
    assert (row["child_latent"], row["n_carriers"]) == (1, 12)
    # F1 with sites is the same for both latents, and the first is taken
    assert row["parent_latent"] == 0
    assert row["parent_silent"] == row["child_fires"] == row["absorption"] == pytest.approx(3 / 4)
    assert row["child_f1_test"] == pytest.approx(6 / 7)
    assert row["parent_f1_test"] == pytest.approx(6 / 9)
    about = rows.set_index("metric")
    assert about.loc["absorption_judged_share", ["preset", "stratum"]].tolist() == ["residue", "free"]


def slow(activations, spans, labelled, candidates):
    """Choose per concept by F1 on validation, count on test, residue by residue."""
    seen = [span for span in spans if span[0] in labelled]
    carried = {c: {(p, i) for p, k, _, b, e in seen if k == c for i in range(b, e)} for c in (1, 2)}
    residues = {
        s: [(p, i) for p, x in activations.items() if p[0] == s and p in labelled for i in range(len(x))]
        for s in "vt"
    }
    on_validation = np.concatenate([x for p, x in activations.items() if p[0] == "v"])
    top = np.maximum(on_validation.max(axis=0), 0).astype(np.float64)

    def fires(latent, threshold, place):
        p, i = place
        return activations[p][i, latent] > threshold * top[latent]

    def f1(split, concept, latent, threshold):
        on = {place for place in residues[split] if fires(latent, threshold, place)}
        true = carried[concept] & set(residues[split])
        return 2 * len(on & true) / max(len(on) + len(true), 1)

    chosen = {}
    for concept in (1, 2):
        options = [(f1("v", concept, j, t), -j, -t) for j in candidates[concept] for t in THRESHOLDS]
        best = max(options)
        chosen[concept] = (-best[1], -best[2])
    carriers = [place for place in residues["t"] if place in carried[1] and place in carried[2]]
    silent = [not fires(*chosen[2], place) for place in carriers]
    on = [fires(*chosen[1], place) for place in carriers]
    return {
        "child_latent": chosen[1][0],
        "parent_latent": chosen[2][0],
        "n_carriers": len(carriers),
        "parent_silent": np.mean(silent),
        "child_fires": np.mean(on),
        "absorption": np.mean(np.array(silent) & np.array(on)),
        "child_f1_test": f1("t", 1, *chosen[1]),
        "parent_f1_test": f1("t", 2, *chosen[2]),
    }


@pytest.mark.parametrize("seed", range(8))
def test_random_cases_equal_a_slow_version(seed):
    generator = np.random.default_rng(seed)
    ids = [f"{s}{i}" for s in "vt" for i in range(6)]
    activations, spans = {}, []
    for p in ids:
        n = int(generator.integers(8, 30))
        begin = int(generator.integers(0, n - 4))
        end = int(generator.integers(begin + 3, n + 1))
        spans += [(p, 2, 0, begin, end), (p, 1, 0, begin, begin + 2)]
        x = generator.normal(size=(n, 7)).astype(np.float32) - 0.8
        x[begin:end, 2] += 1.0
        x[begin : begin + 2, 1] += 1.0
        activations[p] = x
    labelled = ids[:5] + ids[6:11]
    table, _ = measured(activations, spans, 3, labelled)
    kinds = {"defined": {1: [1], 2: [2]}, "free": dict.fromkeys((1, 2), range(3, 7))}
    for kind, candidates in kinds.items():
        row = table[table["kind"] == kind].iloc[0]
        for name, value in slow(activations, spans, set(labelled), candidates).items():
            assert row[name] == pytest.approx(value), (kind, name)


def test_nothing_is_read_where_no_concepts_of_residues_are_nested():
    nobody = pd.DataFrame({"protein_id": pd.Series(dtype="str"), "concept_idx": pd.Series(dtype="int32")})
    known = pd.DataFrame({"protein_id": ["v1"], "aspect": ["BPO"]})
    spans = pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)).astype({"concept_idx": "int64"})
    proteins = pd.DataFrame(
        {"protein_id": ["v1", "t1"], "split": ["validation", "test"], "sequence": "AA", "cluster_id": "c"}
    )
    tables = LabelTables(CONCEPTS.iloc[:2], nobody, known, spans)
    table, rows = residue_absorption(None, None, lined_up(proteins, tables), ONTOLOGY, CONFIG)
    assert (len(table), len(rows)) == (0, 0)
    assert tuple(table.columns) == COLUMNS
