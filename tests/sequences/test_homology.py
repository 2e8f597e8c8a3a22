"""The built-in search: seeds against slow references, figures by hand, planted families, and strangers."""

import itertools

import numpy as np
import pytest
from Bio.Align import PairwiseAligner, substitution_matrices
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator
from protsae.sequences.homology import (
    SearchConfig,
    _optimum,
    alignment_figures,
    find_hits,
)
from protsae.sequences.seeds import (
    SeedConfig,
    encode,
    find_candidates,
    similar_words,
    substitution_scores,
    words_of,
)

CONFIG = SearchConfig()
BLOSUM = substitution_matrices.load("BLOSUM62")


def _random(rng: np.random.Generator, length: int) -> str:
    return "".join(rng.choice(list(AMINO_ACIDS), length))


def _mutate(rng: np.random.Generator, parent: str, identity: float) -> str:
    """Replace all but a share `identity` of the residues by others, drawn evenly: the hardest case."""
    changed = rng.permutation(len(parent))[: round(len(parent) * (1 - identity))]
    child = list(parent)
    for position in changed:
        child[position] = rng.choice([residue for residue in AMINO_ACIDS if residue != parent[position]])
    return "".join(child)


def test_words_are_numbers_in_base_20_without_unknown_residues() -> None:
    where, words = words_of(encode("ACDXYYYA"))
    assert where.tolist() == [0, 4, 5]
    assert words.tolist() == [0 * 400 + 1 * 20 + 2, 19 * 400 + 19 * 20 + 19, 19 * 400 + 19 * 20 + 0]
    assert words_of(encode("AC"))[0].size == 0
    assert encode("UOBZX*").tolist() == [*encode("CKDE").tolist(), 20, 20]


@pytest.mark.parametrize("word", ["WWW", "AAA", "LIV", "CHP"])
def test_similar_words_are_those_that_blosum62_scores_high_enough(word: str) -> None:
    similar, begin = similar_words(11)
    number = words_of(encode(word))[1][0]
    expected = [
        400 * i + 20 * j + k
        for i, a in enumerate(AMINO_ACIDS)
        for j, b in enumerate(AMINO_ACIDS)
        for k, c in enumerate(AMINO_ACIDS)
        if BLOSUM[word[0], a] + BLOSUM[word[1], b] + BLOSUM[word[2], c] >= 11
    ]
    assert similar[begin[number] : begin[number + 1]].tolist() == expected


def test_substitution_scores_are_blosum62_unknown_minus_four() -> None:
    scores = substitution_scores()
    assert scores[AMINO_ACIDS.index("W"), AMINO_ACIDS.index("W")] == 11
    assert scores[AMINO_ACIDS.index("L"), AMINO_ACIDS.index("D")] == -4
    assert (scores == scores.T).all()
    assert (scores[20] == -4).all()


def _slow_candidates(query: str, targets: dict[str, str], config: SeedConfig) -> list[str]:
    """Count word hits per diagonal and score the busiest diagonals, pair by pair, in plain Python."""
    hits = []
    for name in sorted(targets):
        target = targets[name]
        for diagonal in range(-len(query) + 1, len(target)):
            n = 0
            for i in range(max(0, -diagonal), min(len(query), len(target) - diagonal) - 2):
                pair = zip(query[i : i + 3], target[i + diagonal : i + diagonal + 3], strict=True)
                n += sum(BLOSUM[a, b] for a, b in pair) >= config.word_score
            if n >= 2:
                hits.append((-n, name, diagonal))
    best: dict[str, int] = {}
    for _, name, diagonal in sorted(hits)[: config.max_candidates * config.diagonals_per_candidate]:
        total = best.get(name, 0)
        running = 0
        for i in range(max(0, -diagonal), min(len(query), len(targets[name]) - diagonal)):
            running = max(0, running + int(BLOSUM[query[i], targets[name][i + diagonal]]))
            total = max(total, running)
        if total >= config.min_gapless_score:
            best[name] = total
    return [name for name, _ in sorted(best.items(), key=lambda item: (-item[1], item[0]))][
        : config.max_candidates
    ]


@pytest.mark.parametrize("block_residues", [10, 150, 2_000_000])
def test_candidates_equal_a_slow_reference(monkeypatch, block_residues: int) -> None:
    monkeypatch.setattr("protsae.sequences.seeds._BLOCK_RESIDUES", block_residues)
    rng = numpy_generator(0, "candidates")
    targets = {f"t{n}": _random(rng, int(rng.integers(1, 60))) for n in range(12)}
    targets["t3"] += targets["t5"][5:30]
    # So many diagonals that none is cut: which ones are, depends on the block.
    config = SeedConfig(word_score=11, max_candidates=8, diagonals_per_candidate=100, min_gapless_score=16)
    for length in (3, 20, 57):
        query = _random(rng, length) if length < 57 else _mutate(rng, targets["t5"] + targets["t3"], 0.6)
        found = find_candidates({"q": query}, targets, config)
        assert found == {"q": _slow_candidates(query, targets, config)}
    assert found["q"][:2] == ["t5", "t3"] or found["q"][:2] == ["t3", "t5"]


@pytest.mark.parametrize("chunk_residues", [10, 100, 120_000])
@pytest.mark.parametrize(("max_candidates", "diagonals"), [(1, 1), (2, 3), (6, 5)])
def test_the_busiest_diagonals_are_chosen_as_by_sorting_them_all(
    monkeypatch, chunk_residues: int, max_candidates: int, diagonals: int
) -> None:
    monkeypatch.setattr("protsae.sequences.seeds._CHUNK_RESIDUES", chunk_residues)
    rng = numpy_generator(0, "busiest", str(max_candidates))
    # Few letters and short proteins: many diagonals have equally many hits, so that ties decide.
    targets = {f"t{n:02}": "".join(rng.choice(list("AWC"), int(rng.integers(1, 30)))) for n in range(25)}
    config = SeedConfig(
        word_score=11, max_candidates=max_candidates, diagonals_per_candidate=diagonals, min_gapless_score=10
    )
    queries = {f"q{n}": "".join(rng.choice(list("AWC"), 25)) for n in range(4)}
    expected = {name: _slow_candidates(query, targets, config) for name, query in queries.items()}
    assert find_candidates(queries, targets, config) == expected
    assert any(expected.values())


def test_hits_of_a_diagonal_are_counted_beyond_sixteen_bits() -> None:
    rng = numpy_generator(0, "titin")
    long = _random(rng, 2**16 + 10)
    targets = {"a_decoy": long[: 2**15], "b_same": long}
    config = SeedConfig(word_score=12, max_candidates=1, diagonals_per_candidate=1)
    # Were counts to wrap around at 65,536, the shorter decoy would have more hits.
    assert find_candidates({"q": long}, targets, config) == {"q": ["b_same"]}


def test_the_number_of_threads_changes_nothing(monkeypatch) -> None:
    rng = numpy_generator(0, "threads")
    parents = {f"p{n}": _random(rng, 80) for n in range(8)}
    targets = {f"t{n}": _mutate(rng, parents[f"p{n % 8}"], 0.6) for n in range(24)}
    found = []
    for n_threads in (1, 5):
        monkeypatch.setattr("protsae.core.threads.n_threads", lambda n_threads=n_threads: n_threads)
        found.append(find_hits(parents, targets, CONFIG))
    assert found[0] == found[1]
    assert len(found[0]) >= 24


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_local_scores_equal_biopython(data) -> None:
    aligner = PairwiseAligner(
        mode="local", substitution_matrix=BLOSUM, open_gap_score=-12, extend_gap_score=-1
    )
    letters = st.text("ACDEFGHIKLMNPQRSTVWYBZX", min_size=1, max_size=40)
    core, inserted = data.draw(letters), data.draw(letters)
    query, target = data.draw(letters) + core + core, core + inserted + core + data.draw(letters)
    score, *ends = _optimum(query, target)
    assert score == aligner.score(query, target)
    if score:
        found = itertools.islice(aligner.align(query, target), 50)
        for query_end, target_end in (alignment.coordinates[:, -1] for alignment in found):
            assert query_end - 1 <= ends[0]
            assert target_end - 1 <= ends[1]


def test_a_gap_in_one_protein_may_follow_a_gap_in_the_other() -> None:
    # Sixty tryptophans against sixty prolines cost more (4 each) than two gaps (11 + 60 each).
    ends = "WCHWCHWCHWCHWCHWCHWCHWCHWCHWCHWCH"
    query, target = ends + "W" * 60 + ends, ends + "P" * 60 + ends
    own = sum(BLOSUM[a, a] for a in ends)
    assert _optimum(query, target) == (2 * own - 2 * (11 + 60), len(query) - 1, len(target) - 1)


def test_the_last_of_equally_good_ends_is_reported() -> None:
    # The core scores the same at either place of the query; the last two residues cost and earn 4.
    assert _optimum("WWWPPPPPPPPWWW", "WWWW"[:3]) == (33, 13, 2)
    assert _optimum("WWW", "WWWPPPPPPPPWWWD") == (33, 2, 13)
    assert _optimum("WWWAAG", "WWWAPA") == (37, 3, 3)


def test_alignment_figures_by_hand() -> None:
    # query  ACDEF--GHIK   7 identical of 11 columns: F/W differs, two gaps in the query, one in the target
    # target ACDEWLLGH-K
    blocks = [[[0, 5], [5, 7], [8, 9]], [[0, 5], [7, 9], [9, 10]]]
    assert alignment_figures("ACDEFGHIK", "ACDEWLLGHK", blocks) == (7 / 11, 11, 9, 10)


def test_a_relative_is_reported_with_identity_and_coverage_of_both() -> None:
    rng = numpy_generator(0, "figures")
    core = _random(rng, 80)
    (pair,) = find_hits({"q": core}, {"t": core + "G" * 20}, CONFIG)
    assert (pair.query_id, pair.target_id, pair.identity, pair.query_coverage) == ("q", "t", 1.0, 1.0)
    # The alignment may run on into the tail by a chance match, but not further than one residue.
    assert pair.target_coverage == pytest.approx(0.8, abs=0.011)
    score = sum(BLOSUM[a, a] for a in core)
    assert pair.e_value == pytest.approx(0.041 * 80 * 100 * np.exp(-0.267 * score), rel=1e-9)
    assert pair.alignment_length == pytest.approx(80, abs=1)
    longer = core + _random(rng, 40)  # the core is two thirds of it
    for query, target in ((core, longer), (longer, core)):
        assert len(find_hits({"q": query}, {"t": target}, CONFIG)) == 1
        assert find_hits({"q": query}, {"t": target}, CONFIG, min_coverage=0.7) == []


def test_gaps_count_as_columns() -> None:
    rng = numpy_generator(0, "gaps")
    parent = _random(rng, 100)
    (pair,) = find_hits({"q": parent}, {"t": parent[:50] + parent[60:]}, CONFIG)
    assert pair.identity == pytest.approx(0.9, abs=1e-9)
    assert (pair.query_coverage, pair.target_coverage) == (1.0, 1.0)


def test_the_query_itself_short_proteins_and_rare_residues() -> None:
    rng = numpy_generator(0, "edges")
    parent = _random(rng, 60)
    assert find_hits({"a": parent}, {"a": parent}, CONFIG) == []
    assert find_hits({"a": "MK"}, {"b": "MK"}, CONFIG) == []
    five = {"b": parent * 5}  # too long to be covered by 70 % at 30 % identity
    assert find_hits({"a": parent}, five, CONFIG, min_identity=0.3, min_coverage=0.7) == []
    assert find_hits({"a": "X" * 60}, {"b": "X" * 60}, CONFIG) == []
    assert find_hits({}, {"b": parent}, CONFIG) == find_hits({"a": parent}, {}, CONFIG) == []
    rare = "U" + parent[1:20] + "O" + parent[21:40] + "BZX" + parent[43:]
    (pair,) = find_hits({"a": rare}, {"b": rare}, CONFIG)
    assert pair.identity == 1.0


def test_relatives_come_in_one_order_whatever_the_input_order() -> None:
    rng = numpy_generator(0, "order")
    parent = _random(rng, 120)
    distant = _mutate(rng, parent, 0.7)
    targets = {"c": distant, "a": _mutate(rng, parent, 0.9), "b": distant}
    queries = {"q2": parent, "q1": _mutate(rng, parent, 0.8)}
    found = find_hits(queries, targets, CONFIG)
    assert [pair.query_id for pair in found] == ["q1"] * 3 + ["q2"] * 3
    assert [pair.target_id for pair in found][3:] == ["a", "b", "c"]
    backwards = find_hits(dict(reversed(queries.items())), dict(reversed(targets.items())), CONFIG)
    assert backwards == found


def _exhaustive(
    queries: dict[str, str], targets: dict[str, str], min_identity: float, min_coverage: float
) -> set[tuple[str, str]]:
    """Align every pair by Biopython alone, and take identity from its own counts."""
    aligner = PairwiseAligner(
        mode="local", substitution_matrix=BLOSUM, open_gap_score=-12, extend_gap_score=-1
    )
    size = sum(map(len, targets.values()))
    related = set()
    for query_id, query in queries.items():
        for target_id, target in targets.items():
            alignment = aligner.align(query, target)[0]
            counts = alignment.counts()
            identity = counts.identities / (counts.identities + counts.mismatches + counts.gaps)
            spans = alignment.coordinates[:, -1] - alignment.coordinates[:, 0]
            coverage = min(spans[0] / len(query), spans[1] / len(target))
            e_value = 0.041 * len(query) * size * np.exp(-0.267 * alignment.score)
            if identity >= min_identity and coverage >= min_coverage and e_value <= CONFIG.max_e_value:
                related.add((query_id, target_id))
    return related


@pytest.mark.parametrize(("identity", "least_related"), [(0.9, 12), (0.4, 12), (0.25, 6)])
def test_planted_families_are_found_as_by_exhaustive_alignment(identity: float, least_related: int) -> None:
    rng = numpy_generator(0, "planted", str(identity))
    parents = {f"q{n:02}": _random(rng, 150) for n in range(12)}
    relatives = {name.replace("q", "t"): _mutate(rng, parent, identity) for name, parent in parents.items()}
    strangers = {f"s{n:02}": _random(rng, int(rng.integers(80, 250))) for n in range(40)}
    targets = relatives | strangers
    config = SearchConfig(max_candidates=5)
    least = {"min_identity": identity - 0.05, "min_coverage": 0.7}
    found = {(hit.query_id, hit.target_id) for hit in find_hits(parents, targets, config, **least)}
    assert found == _exhaustive(parents, targets, **least)
    assert found <= {(name, name.replace("q", "t")) for name in parents}
    assert len(found) >= least_related
    # Those below the threshold are no relatives, however alike.
    assert find_hits(parents, relatives, config, min_identity=identity + 0.09, min_coverage=0.7) == []


def test_figures_are_those_of_an_alignment_of_whole_proteins() -> None:
    rng = numpy_generator(0, "flanked")
    cores = [_random(rng, 90) for _ in range(15)]
    flanked = [
        {
            f"{side}{n:02}": _random(rng, 70) + _mutate(rng, core, 0.5) + _random(rng, 50)
            for n, core in enumerate(cores)
        }
        for side in "qt"
    ]
    hits = find_hits(*flanked, CONFIG)
    assert len(hits) >= 5
    aligner = PairwiseAligner(
        mode="local", substitution_matrix=BLOSUM, open_gap_score=-12, extend_gap_score=-1
    )
    for hit in hits:
        query, target = flanked[0][hit.query_id], flanked[1][hit.target_id]
        alignment = aligner.align(query, target)[0]
        counts, spans = alignment.counts(), np.ptp(alignment.coordinates, axis=1)
        n_columns = counts.identities + counts.mismatches + counts.gaps
        assert (hit.alignment_length, hit.identity) == (n_columns, counts.identities / n_columns)
        assert (hit.query_coverage, hit.target_coverage) == (spans[0] / len(query), spans[1] / len(target))


def test_unrelated_sequences_need_the_guard_against_chance_hits() -> None:
    rng = numpy_generator(0, "strangers")
    proteins = {f"p{n:02}": _random(rng, int(rng.integers(30, 150))) for n in range(60)}
    queries = {name: proteins[name] for name in sorted(proteins)[:30]}
    targets = {name: proteins[name] for name in sorted(proteins)[30:]}
    assert find_hits(queries, targets, CONFIG) == []
    unguarded = SearchConfig(max_e_value=1000, min_gapless_score=1)
    assert len(find_hits(queries, targets, unguarded)) > 30


def test_the_aligner_charges_eleven_plus_length_for_a_gap() -> None:
    aligner = PairwiseAligner(
        mode="local", substitution_matrix=BLOSUM, open_gap_score=-12, extend_gap_score=-1
    )
    rng = numpy_generator(0, "gap costs")
    parent = _random(rng, 60)
    shorter = parent[:30] + parent[33:]
    (pair,) = find_hits({"q": parent}, {"t": shorter}, CONFIG)
    full = sum(BLOSUM[a, a] for a in shorter) - (11 + 3)
    assert aligner.score(parent, shorter) == full
    assert pair.e_value == pytest.approx(0.041 * 60 * 57 * np.exp(-0.267 * full), rel=1e-9)
