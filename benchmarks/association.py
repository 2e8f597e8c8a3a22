"""Speed of associating all latents with all concepts of residues, against a loop over concepts, in one run.

    python benchmarks/association.py [--quick] [--residues N] [--output docs/results/association.json]

10,000 latents x 400 concepts x 1,000,000 residues in ten shards; 1 % of the latents are active on a residue,
which lies in four instances of 50 residues. Ours: `metrics.association`, one pass at all five thresholds, and
domain-aware F1 of every pair from its counts. The peer, written for this from the description of InterPLM's:
per threshold binarise the sparse matrix of activations; per concept multiply it with the column of labels
(instance numbers), sum for true and false positives, and count distinct instances latent by latent, from the
arrays of the sparse matrix (a matrix of each column, as there, takes far longer). It is timed on 10 concepts
at one threshold, on the same shards, in the same process (`peer_seconds_measured`); `peer_seconds` is that
scaled to 400 concepts and five thresholds. Neither time includes making the data. One thread.
`max_abs_diff`: the largest difference in domain-aware F1, from the peer's over these 10 concepts and all
latents, and from a loop over residues in plain Python over a corner of the first shard, at all thresholds.
`peak_mb`: peak memory of this process (VmHWM), with the peer's part and imports.
The last line printed is one JSON object.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

from helpers.provenance import peak_mb, provenance, write_json
from protsae.metrics.association import (
    THRESHOLDS,
    AssociationAccumulator,
    ResidueCodes,
    ResidueTruth,
    harmonic,
)

N_LATENTS, N_CONCEPTS, N_SHARDS = 10_000, 400, 10
N_ACTIVE, N_TOGETHER, LENGTH, PROTEIN = 100, 4, 50, 350
PEER_CONCEPTS, PEER_THRESHOLD = 10, 2


class Shard(NamedTuple):
    """Some whole proteins."""

    codes: ResidueCodes
    truth: ResidueTruth


def shards(n_residues: int) -> Iterator[Shard]:
    """Yield random shards; activations are uniform, the largest of every latent is 1."""
    generator = np.random.default_rng(0)
    n_proteins = -(-n_residues // (N_SHARDS * PROTEIN))
    n_rows = n_proteins * PROTEIN
    block = N_LATENTS // N_ACTIVE
    for _ in range(N_SHARDS):
        latents = generator.integers(0, block, size=(n_rows, N_ACTIVE), dtype=np.int32)
        latents += np.arange(N_ACTIVE, dtype=np.int32) * block
        values = 1 - generator.random((n_rows, N_ACTIVE), dtype=np.float32)
        indptr = np.arange(n_rows + 1, dtype=np.int64) * N_ACTIVE
        yield Shard(
            ResidueCodes(indptr, latents.ravel(), values.ravel()), truth(generator, n_proteins, n_rows)
        )


def truth(generator: np.random.Generator, n_proteins: int, n_rows: int) -> ResidueTruth:
    """Return four random concepts for every stretch of 50 residues, each an instance of its own."""
    begins = np.repeat(np.arange(0, n_rows, LENGTH), N_TOGETHER)
    quarter = N_CONCEPTS // N_TOGETHER
    concepts = generator.integers(0, quarter, size=(n_rows // LENGTH, N_TOGETHER)) + quarter * np.arange(
        N_TOGETHER
    )
    order = np.lexsort((begins, concepts.ravel()))
    begin = begins[order]
    spans = np.stack([concepts.ravel()[order], np.arange(len(order)), begin, begin, begin + LENGTH])
    known = np.ones((n_proteins, N_CONCEPTS), dtype=bool)
    return ResidueTruth(np.arange(n_proteins + 1) * PROTEIN, known, spans)


def as_matrices(shard: Shard) -> tuple[sparse.csr_matrix, sparse.csc_matrix]:
    """Return activations [n_rows, n_latents] and, as instance numbers from 1, labels [n_rows, n_concepts]."""
    n_rows = len(shard.codes)
    acts = sparse.csr_matrix(
        (shard.codes.values, shard.codes.latents, shard.codes.indptr), shape=(n_rows, N_LATENTS)
    )
    concept, instance, begin, _, _ = shard.truth.spans
    rows = (begin[:, None] + np.arange(LENGTH)).ravel()
    labels = (np.repeat(instance + 1, LENGTH), (rows, np.repeat(concept, LENGTH)))
    return acts, sparse.csc_matrix(labels, shape=(n_rows, N_CONCEPTS))


class Peer:
    """The loop over concepts, at one threshold."""

    def __init__(self) -> None:
        shape = (PEER_CONCEPTS, N_LATENTS)
        self.true, self.false, self.hit = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self.n_instances = np.zeros(PEER_CONCEPTS)
        self.binarising = self.counting = 0.0

    def update(self, acts: sparse.csr_matrix, labels: sparse.csc_matrix) -> None:
        """Add one shard, keeping the time."""
        start = time.perf_counter()
        fires = acts.copy()
        fires.data = (fires.data > THRESHOLDS[PEER_THRESHOLD]).astype(np.int64)
        fires.eliminate_zeros()
        self.binarising += time.perf_counter() - start
        start = time.perf_counter()
        for concept in range(PEER_CONCEPTS):
            column = labels[:, concept]
            inside = fires.multiply(column > 0)
            self.true[concept] += np.asarray(inside.sum(axis=0)).ravel()
            self.false[concept] += np.asarray((fires - inside).sum(axis=0)).ravel()
            instances = fires.multiply(column).tocsc()
            ends = zip(instances.indptr[:-1].tolist(), instances.indptr[1:].tolist(), strict=True)
            self.hit[concept] += [len(set(instances.data[a:b].tolist())) for a, b in ends]
        self.counting += time.perf_counter() - start
        self.n_instances += [len(np.unique(labels[:, c].data)) for c in range(PEER_CONCEPTS)]

    def domain_f1(self) -> np.ndarray:
        """Return [PEER_CONCEPTS, n_latents]."""
        precision = self.true / np.maximum(self.true + self.false, 1)
        return harmonic(precision, self.hit / np.maximum(self.n_instances, 1)[:, None])


def corner_difference(shard: Shard, n_rows: int = 10 * PROTEIN, n_latents: int = 20) -> float:
    """Return the largest difference from a loop over residues in plain Python, over a corner of the data."""
    codes, spans = shard.codes, shard.truth.spans[:, shard.truth.spans[4] <= n_rows]
    spans = spans[:, spans[0] < PEER_CONCEPTS]
    kept = ResidueTruth(np.arange(0, n_rows + 1, PROTEIN), shard.truth.known[: n_rows // PROTEIN], spans)
    some = ResidueCodes(
        codes.indptr[: n_rows + 1], codes.latents[: n_rows * N_ACTIVE], codes.values[: n_rows * N_ACTIVE]
    )
    accumulator = AssociationAccumulator(np.ones(N_LATENTS), np.zeros(N_CONCEPTS, np.int64))
    accumulator.update(some, kept)
    acts = as_matrices(Shard(some, kept))[0].toarray()[:, :n_latents]
    worst = 0.0
    for concept in range(PEER_CONCEPTS):
        domains = [set(range(b, e)) for c, _, b, _, e in spans.T.tolist() if c == concept]
        positive = set().union(*domains)
        found = accumulator.counts().scores(concept).domain_f1
        for latent in range(n_latents):
            for t, threshold in enumerate(THRESHOLDS):
                fires = {row for row in range(n_rows) if acts[row, latent] > threshold}
                precision = len(fires & positive) / max(len(fires), 1)
                recall = sum(bool(fires & rows) for rows in domains) / max(len(domains), 1)
                f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
                worst = max(worst, abs(f1 - found[latent, t]))
    return worst


def warm_up() -> None:
    """Compile, on a few residues."""
    codes = ResidueCodes.of_dense(np.ones((1, 2), np.float32))
    one = ResidueTruth(np.array([0, 1]), np.ones((1, 1), bool), np.array([[0], [0], [0], [0], [1]]))
    AssociationAccumulator(np.ones(2), [0]).update(codes, one)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--residues", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the residues")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    n_residues = 50_000 if arguments.quick else arguments.residues
    about = provenance()
    warm_up()
    accumulator = AssociationAccumulator(np.ones(N_LATENTS), np.zeros(N_CONCEPTS, np.int64))
    peer, seconds, n_seen, difference = Peer(), 0.0, 0, 0.0
    for number, shard in enumerate(shards(n_residues)):
        start = time.perf_counter()
        accumulator.update(*shard)
        seconds += time.perf_counter() - start
        n_seen += len(shard.codes)
        if number == 0:
            difference = corner_difference(shard)
        peer.update(*as_matrices(shard))
        print(f"shard {number}: ours {seconds:.1f} s, peer {peer.counting:.1f} s so far")
    start = time.perf_counter()
    counts = accumulator.counts()
    best = np.stack([counts.scores(concept).domain_f1.max(axis=1) for concept in range(N_CONCEPTS)])
    seconds += time.perf_counter() - start
    ours = np.stack([counts.scores(concept).domain_f1[:, PEER_THRESHOLD] for concept in range(PEER_CONCEPTS)])
    difference = max(difference, float(np.abs(ours - peer.domain_f1()).max()))
    scaled = len(THRESHOLDS) * (peer.binarising + peer.counting * N_CONCEPTS / PEER_CONCEPTS)
    result = {
        **about,
        "n_residues": n_seen,
        "n_latents": N_LATENTS,
        "n_concepts": N_CONCEPTS,
        "thresholds": THRESHOLDS,
        "density": N_ACTIVE / N_LATENTS,
        "n_instances": int(counts.n_instances.sum()),
        "best_f1": round(float(best.max()), 4),
        "seconds": round(seconds, 2),
        "peer_seconds_measured": round(peer.binarising + peer.counting, 2),
        "peer_measured_on": f"{PEER_CONCEPTS} concepts, one threshold; scaled to all",
        "peer_seconds": round(scaled, 1),
        "speedup": round(scaled / seconds, 1),
        "peak_mb": peak_mb(),
        "max_abs_diff": difference,
    }
    if arguments.output:
        write_json(arguments.output, result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
