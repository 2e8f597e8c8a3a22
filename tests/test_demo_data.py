"""The embedded data are what the README says, and the code in the project makes them."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from helpers.demo_selection import Candidate, choose
from helpers.demo_slice import Sources, make_demo
from protsae.core.splits import SPLITS
from protsae.ontology.closure import ancestor_closure
from protsae.ontology.obo import read_obo
from protsae.sequences import mmseqs
from protsae.sequences.clustering import read_clusters
from protsae.sequences.fasta import FastaConfig, read_fasta
from protsae.sequences.homology import SearchConfig, find_hits
from protsae.sequences.split import SplitConfig, split_of_cluster

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "data/01_raw/demo"
SHARED = ROOT.parent / "shared"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the full files are not next to the checkout")
def test_the_slice_is_reproduced_byte_for_byte_from_the_full_files(tmp_path):
    swissprot = SHARED / "data/swissprot_go"
    sources = Sources(
        fasta=swissprot / "proteins.fasta.gz",
        annotations=swissprot / "annotations.tsv.gz",
        clusters=swissprot / "clusters.tsv.gz",
        ontology=SHARED / "data/go/go.obo.gz",
        plm=SHARED / "plm/esm2_mini.safetensors",
    )
    make_demo(sources, tmp_path)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(path.name for path in DEMO.iterdir() if path.suffix != ".md")
    for name in made:
        assert (tmp_path / name).read_bytes() == (DEMO / name).read_bytes(), name


SEARCHES = [
    pytest.param(find_hits, id="builtin"),
    pytest.param(
        mmseqs.search,
        id="mmseqs",
        marks=pytest.mark.skipif(mmseqs.find_program() is None, reason="MMseqs2 IS NOT INSTALLED"),
    ),
]


@pytest.mark.parametrize("search", SEARCHES)
def test_no_held_out_protein_has_any_hit_in_training(search):
    sequences = {r.protein_id: r.sequence for r in read_fasta(DEMO / "proteins.fasta", FastaConfig())}
    split = SplitConfig()
    split_of = {
        protein_id: split_of_cluster(cluster_id, split.salt, split.fractions)
        for protein_id, cluster_id in read_clusters(DEMO / "clusters.tsv").items()
    }
    by_split = {
        name: {protein_id: sequences[protein_id] for protein_id in sequences if split_of[protein_id] == name}
        for name in SPLITS
    }
    assert {name: len(of) for name, of in by_split.items()} == {"train": 573, "validation": 186, "test": 180}
    held_out = by_split["validation"] | by_split["test"]
    assert search(held_out, by_split["train"], SearchConfig()) == []
    # The search is at work: a held-out protein with a changed residue is found.
    name, sequence = next(iter(held_out.items()))
    assert search({"q": sequence[:40] + "W" + sequence[41:]}, {name: sequence}, SearchConfig())


def test_the_slice_is_small_and_its_proteins_are_as_long_as_promised():
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 8_000_000
    lengths = [len(record.sequence) for record in read_fasta(DEMO / "proteins.fasta", FastaConfig())]
    assert 800 <= len(lengths) <= 1000
    assert min(lengths) >= 50
    assert max(lengths) <= 512


def test_the_ontology_slice_holds_all_ancestors():
    ontology = read_obo(DEMO / "go_slice.obo")
    closure = ancestor_closure(ontology, "cafa")
    roots = set(closure.term_ids[closure.is_root()])
    assert {"GO:0008150", "GO:0003674", "GO:0005575"} <= roots
    current = ontology.terms.loc[~ontology.terms["is_obsolete"], "term_id"]
    parentless = set(current) - set(ontology.relations["child_id"])
    assert parentless == {"GO:0008150", "GO:0003674", "GO:0005575"}


def candidates() -> list[Candidate]:
    """Return 2,000 candidates of 1,500 clusters with one target concept among three."""
    splits = ("train", "train", "train", "validation", "test")
    return [
        Candidate(
            protein_id=f"P{i}",
            cluster_id=f"C{i % 1500}",
            split=splits[i % 5],
            concepts=frozenset({"GO:0006281"} if i % 3 == 0 else {"GO:0000002"}),
        )
        for i in range(2000)
    ]


def test_choice_ignores_order_and_keeps_at_most_two_per_cluster():
    pool = candidates()
    chosen = choose(pool, lambda queries, targets: set())
    assert choose(pool[::-1], lambda queries, targets: set()) == chosen
    assert Counter(c.split for c in chosen) == {"train": 540, "validation": 180, "test": 180}
    assert max(Counter(c.cluster_id for c in chosen).values()) <= 2


def test_proteins_with_relatives_in_earlier_splits_are_replaced():
    def ends_in_8(queries, targets):
        assert len({target.split for target in targets}) == 1
        return {query.protein_id for query in queries if query.protein_id.endswith("8")}

    chosen = choose(candidates(), ends_in_8)
    assert Counter(c.split for c in chosen) == {"train": 540, "validation": 180, "test": 180}
    assert not [c for c in chosen if c.split != "train" and c.protein_id.endswith("8")]
    assert [c for c in chosen if c.split == "train"]


def test_the_small_model_is_the_one_that_its_readme_describes():
    digest = hashlib.sha256((DEMO / "esm2_mini.safetensors").read_bytes()).hexdigest()
    assert digest == "c707b0eb09a53bacd960d9a649ded7bfc806368dd02570ec2e65ca9ffda73b97"
