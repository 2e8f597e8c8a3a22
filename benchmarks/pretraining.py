"""Judge a language model on Swiss-Prot, and time a training step against fair-esm's module on padded batches.

    python benchmarks/pretraining.py [--data ../shared/data] [--plm ../shared/plm/esm2_mini.safetensors]
        [--n-proteins 2000] [--threads 1] [--output result.json]

Perplexity: masked residues of proteins of split `test` (clusters dealt by the default salt, no audit) against
the residue frequencies of split `train`. A model may have been trained on these very proteins: esm2_mini saw
them. Step: forward and backward of one batch of cropped proteins, with the default settings of pretraining at
`--tokens` per batch, packed and padded in turn, best of three. The last line is one JSON object.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from helpers.provenance import ROOT, provenance, write_json
from protsae.plm import load_plm
from protsae.plm.tokens import Tokenizer
from protsae.pretraining.batches import ProteinBatches
from protsae.pretraining.config import MaskConfig, PerplexityConfig, PretrainerConfig, ShapeConfig
from protsae.pretraining.evaluation import draw_proteins, masked_scores, residue_frequencies, summarise
from protsae.pretraining.masking import MaskedBatch, masker_of
from protsae.pretraining.model import MaskedForward, build_module
from protsae.sequences.fasta import FastaConfig, read_fasta
from protsae.sequences.split import SplitConfig, split_of_cluster

SHAPES = {
    "mini": ShapeConfig(n_layers=4, d_model=160, n_heads=8),
    "8m": ShapeConfig(n_layers=6, d_model=320, n_heads=20),
}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data", help="folder of the full files")
    parser.add_argument("--plm", type=Path, default=ROOT / "../shared/plm/esm2_mini.safetensors")
    parser.add_argument("--n-proteins", type=int, default=2000)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="write everything there, as JSON")
    arguments = parser.parse_args()
    made = provenance()
    torch.set_num_threads(arguments.threads)
    splits = read_splits(arguments.data / "swissprot_go")
    judged = judge(arguments.plm, splits, arguments.n_proteins)
    steps = {name: time_step(shape, splits["train"], arguments.tokens) for name, shape in SHAPES.items()}
    overall = ("n_proteins", "n_residues", "perplexity", "floor_perplexity", "accuracy")
    result = {
        **{name: judged[name] for name in overall},
        **{f"speedup_{name}": step["speedup"] for name, step in steps.items()},
    }
    if arguments.output:
        everything = {**made, "plm": arguments.plm.name, "result": result, "test": judged, "step": steps}
        write_json(arguments.output, everything)
    print(json.dumps(result))


def read_splits(folder: Path) -> dict[str, list[str]]:
    """Return the sequences of each split."""
    clusters = pd.read_csv(folder / "clusters.tsv.gz", sep="\t", dtype="str")
    cluster_of = dict(zip(clusters["accession"], clusters["cluster_id"], strict=True))
    config, splits = SplitConfig(), defaultdict(list)
    for record in read_fasta(folder / "proteins.fasta.gz", FastaConfig()):
        split = split_of_cluster(cluster_of[record.protein_id], config.salt, config.fractions)
        splits[split].append(record.sequence)
    return splits


def judge(plm: Path, splits: dict[str, list[str]], n_proteins: int) -> dict[str, Any]:
    """Return the figures on a sample of the test proteins."""
    config = PerplexityConfig(max_proteins=n_proteins)
    drawn = draw_proteins(splits["test"], n_proteins, config.seed)
    sample = [splits["test"][i] for i in drawn]
    scores = masked_scores(load_plm(plm).module, sample, config, torch.device("cpu"))
    return summarise(scores, residue_frequencies(splits["train"]), config.length_bands)


def time_step(shape: ShapeConfig, sequences: list[str], tokens: int) -> dict[str, Any]:
    """Return tokens per second of both ways, and the largest difference of their losses."""
    config = PretrainerConfig()
    module = build_module(shape, 0)
    source = ProteinBatches(sequences, tokens_per_batch=tokens, max_residues=config.max_residues, seed=0)
    packed = Tokenizer(module.alphabet).pack(source.crops(0)[1])
    batch = masker_of(module).draw(packed, MaskConfig(), np.random.default_rng(0))
    ways = {"packed": MaskedForward(module), "padded": lambda b: padded_logits(module, b)}
    best, losses = dict.fromkeys(ways, float("inf")), {}
    for _ in range(4):  # the first round warms up
        for name, forward in ways.items():
            seconds, losses[name] = step(module, forward, batch)
            best[name] = min(best[name], seconds)
    rates = {f"tokens_per_s_{name}": round(len(batch.tokens) / seconds) for name, seconds in best.items()}
    difference = abs(losses["packed"] - losses["padded"])
    return {**rates, "speedup": round(best["padded"] / best["packed"], 2), "loss_difference": difference}


def step(
    module: Any, forward: Callable[[MaskedBatch], torch.Tensor], batch: MaskedBatch
) -> tuple[float, float]:
    """Return the seconds of one forward and backward pass, and the loss."""
    module.zero_grad()
    started = time.perf_counter()
    loss = functional.cross_entropy(forward(batch), batch.targets)
    loss.backward()
    return time.perf_counter() - started, float(loss.detach())


def padded_logits(module: Any, batch: MaskedBatch) -> torch.Tensor:
    """Run fair-esm's module as it is, every protein padded to the longest."""
    rows = torch.split(batch.tokens, batch.sizes)
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=module.padding_idx)
    logits = module(padded)["logits"]
    return torch.cat([row[:size] for row, size in zip(logits, batch.sizes, strict=True)])[batch.masked_at]


if __name__ == "__main__":
    main()
