"""Similarity of activations of windows to those of the whole protein, by distance from the window's cut.

    python benchmarks/windows.py [--data ../shared/data/swissprot_go/proteins.fasta.gz]
                                 [--model data/01_raw/demo/esm2_mini.safetensors] [--proteins 40]
                                 [--output docs/results/windows.json]

Proteins are run whole and in windows, as `long_sequences: full` and `window` do. Every residue of every
window is compared with the same one of the whole pass, also those that the shards take from a
neighbouring window. The distance is to the nearest cut: the ends of the protein are none. Cosines are of
the activations less their mean over all residues: with the mean they are closer to 1. Swiss-Prot 2014 as
it lies in the data ends at 1,022 residues, so the windows are half as long as those of an extraction:
three of 512 residues per protein.
The last line printed is one JSON object.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from helpers.provenance import ROOT, provenance, write_json
from protsae.core.files import sha256_text
from protsae.plm import load_plm
from protsae.plm.forward import Esm2Forward
from protsae.plm.windows import windows_of
from protsae.sequences.fasta import FastaConfig, read_fasta

SIZE, OVERLAP, SHORTEST = 512, 256, 800
EDGES = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data/swissprot_go/proteins.fasta.gz")
    parser.add_argument("--model", default=str(ROOT / "data/01_raw/demo/esm2_mini.safetensors"))
    parser.add_argument("--hook-points", nargs="+", default=["layers.2.resid_post", "final_norm"])
    parser.add_argument("--proteins", type=int, default=40)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    sequences = long_proteins(arguments.data, arguments.proteins)
    model = load_plm(arguments.model)
    forward = Esm2Forward(model, arguments.hook_points)
    whole = {name: [] for name in arguments.hook_points}
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {name: [] for name in whole}
    for sequence in sequences:
        full = {name: x.numpy().copy() for name, x in forward.run([sequence]).items()}
        for name, x in full.items():
            whole[name].append(x)
        for window in windows_of(len(sequence), SIZE, OVERLAP):
            found = forward.run([sequence[window.start : window.end]])
            distance = distances(window.start, window.end, len(sequence))
            for name, x in found.items():
                pairs[name].append((distance, x.numpy().copy(), full[name][window.start : window.end]))
    result = {
        **provenance(),
        "model": model.name,
        "n_proteins": len(sequences),
        "shortest": min(map(len, sequences)),
        "longest": max(map(len, sequences)),
        "window": SIZE,
        "overlap": OVERLAP,
        "hook_points": {name: by_distance(pairs[name], np.concatenate(whole[name])) for name in whole},
    }
    if arguments.output:
        write_json(arguments.output, result)
    print(json.dumps(result))


def long_proteins(path: Path, n: int) -> list[str]:
    """Return `n` proteins of at least `SHORTEST` residues, in the order of their hashed ids."""
    records = [r for r in read_fasta(path, FastaConfig()) if len(r.sequence) >= SHORTEST]
    return [r.sequence for r in sorted(records, key=lambda r: sha256_text("windows", r.protein_id))[:n]]


def distances(start: int, end: int, length: int) -> np.ndarray:
    """Return for every residue of a window how many residues lie between it and the nearest cut."""
    place = np.arange(end - start)
    left = place if start > 0 else np.full(end - start, np.iinfo(np.int64).max)
    right = place[::-1] if end < length else np.full(end - start, np.iinfo(np.int64).max)
    return np.minimum(left, right)


def by_distance(
    pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]], whole: np.ndarray
) -> list[dict[str, Any]]:
    """Return mean and fifth percentile of the cosine, per range of distances."""
    mean = whole.mean(axis=0, dtype=np.float64)
    distance = np.concatenate([d for d, _, _ in pairs])
    ours, theirs = (np.concatenate([pair[i] for pair in pairs]).astype(np.float64) - mean for i in (1, 2))
    cosine = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    rows = []
    for low, high in zip(EDGES, [*EDGES[1:], SIZE + 1], strict=True):
        inside = cosine[(distance >= low) & (distance < high)]
        if len(inside):
            rows.append(
                {
                    "from": low,
                    "to": high - 1,
                    "n": len(inside),
                    "cosine": round(float(inside.mean()), 5),
                    "cosine_5_percent": round(float(np.quantile(inside, 0.05)), 5),
                }
            )
    return rows


if __name__ == "__main__":
    main()
