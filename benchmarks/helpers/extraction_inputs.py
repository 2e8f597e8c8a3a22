"""What `extraction.py` runs: models of random weights, and proteins."""

import random

import torch
from esm import ESM2

from helpers.provenance import ROOT
from protsae.plm.checkpoint import PlmModel
from protsae.sequences.fasta import FastaConfig, read_fasta

SHAPES = {"esm2_mini": (4, 160, 8), "8M": (6, 320, 20), "35M": (12, 480, 20), "150M": (30, 640, 20)}
"""Layers, width, attention heads."""
QUANTILES = [2, 70, 111, 148, 186, 226, 264, 301, 342, 382, 430, 487, 566, 652, 820, 959, 1500]
"""Lengths of Swiss-Prot from its shortest to its longest but for 1 %, at equal distances in rank."""
MEAN_LENGTH = {"short": 75, "mixed": 344, "long": 861}
SWISSPROT = ROOT.parent / "shared/data/swissprot_go/proteins.fasta.gz"


def random_model(shape: str) -> PlmModel:
    """Return fair-esm's module with its own initial weights, biases and norms away from 0 and 1."""
    n_layers, d_model, n_heads = SHAPES[shape]
    torch.manual_seed(0)
    module = ESM2(n_layers, d_model, n_heads).eval().requires_grad_(False)
    for parameter in module.parameters():
        if parameter.ndim == 1:
            parameter.add_(0.1 * torch.randn_like(parameter))
    return PlmModel(shape, "", n_layers, d_model, n_heads, module)


def random_proteins(shortest: int, longest: int, n: int) -> list[str]:
    """Return proteins whose lengths are evenly spread, in random order."""
    source = random.Random(n)
    lengths = [shortest + round((longest - shortest) * (i + 0.5) / n) for i in range(n)]
    source.shuffle(lengths)
    return ["".join(source.choices("ACDEFGHIKLMNPQRSTVWY", k=length)) for length in lengths]


def proteins_of(kind: str, n_residues: int) -> list[str]:
    """Return proteins of about so many residues together: `short`, `mixed` or `long` ones."""
    n = max(2, n_residues // MEAN_LENGTH[kind])
    if kind == "short":
        return random_proteins(30, 120, n)
    if kind == "long":
        return random_proteins(700, 1022, n)
    if not SWISSPROT.is_file():
        return _of_swissprot_lengths(n)
    by_length = sorted((record.sequence for record in read_fasta(SWISSPROT, FastaConfig())), key=len)
    chosen = [by_length[int((i + 0.5) / n * len(by_length))] for i in range(n)]
    random.Random(n).shuffle(chosen)
    return chosen


def _of_swissprot_lengths(n: int) -> list[str]:
    source = random.Random(n)
    proteins = []
    for i in range(n):
        rank = (i + 0.5) / n * (len(QUANTILES) - 1)
        low = QUANTILES[int(rank)]
        length = min(1022, round(low + (rank % 1) * (QUANTILES[int(rank) + 1] - low)))
        proteins.append("".join(source.choices("ACDEFGHIKLMNPQRSTVWY", k=length)))
    source.shuffle(proteins)
    return proteins
