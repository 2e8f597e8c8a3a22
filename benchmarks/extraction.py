"""Speed and memory of the packed forward pass, against fair-esm's recipe and against sorted padding.

    python benchmarks/extraction.py [--shapes esm2_mini 8M 35M 150M] [--quick] [--threads N]
                                    [--output docs/results/extraction.json]

Weights are random, of the shapes named. Sequences are random residues: of Swiss-Prot's lengths, of short
ones, and of long ones. Four ways are timed in turn, and the best of three rounds counts:

- fair-esm's recipe: batches of 4,096 tokens by its `FastaBatchedDataset`, sequences cut at 1,022 residues,
  padded, every layer run and kept (as its script `extract.py` does where all layers are asked for),
- plain padding: batches of 4,096 padded tokens, shortest first, stopping nowhere, one layer kept,
- packed, up to the middle layer, and packed, up to the last,
- the matrix products of the packed way alone: plain `torch.mm` of every size that occurs.

`matmul_share` is the time of these products over the time of the packed pass up to the last layer.
The last line printed is one JSON object.
"""

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from esm import ESM2, FastaBatchedDataset
from provenance import provenance

from protsae.core.files import write_text_atomic
from protsae.plm.batching import token_budget_batches
from protsae.plm.checkpoint import PlmModel
from protsae.plm.forward import Esm2Forward

SHAPES = {"esm2_mini": (4, 160, 8), "8M": (6, 320, 20), "35M": (12, 480, 20), "150M": (30, 640, 20)}
MIDDLE = {"esm2_mini": 1, "8M": 2, "35M": 5, "150M": 14}
QUANTILES = [2, 70, 111, 148, 186, 226, 264, 301, 342, 382, 430, 487, 566, 652, 820, 959, 1500]
"""Lengths of Swiss-Prot from its shortest to its longest but for 1 %, at equal distances in rank."""
N_PROTEINS = {"esm2_mini": 96, "8M": 96, "35M": 48, "150M": 16}
TOKENS = 4096
TRUNCATION = 1022


def random_model(shape: str) -> PlmModel:
    """Return fair-esm's module with its own initial weights, biases and norms away from 0 and 1."""
    n_layers, d_model, n_heads = SHAPES[shape]
    torch.manual_seed(0)
    module = ESM2(n_layers, d_model, n_heads).eval().requires_grad_(False)
    for parameter in module.parameters():
        if parameter.ndim == 1:
            parameter.add_(0.1 * torch.randn_like(parameter))
    return PlmModel(shape, "", n_layers, d_model, n_heads, module)


def random_proteins(kind: str, n: int) -> list[str]:
    """Return proteins of `short` (30 to 120), `mixed` (as Swiss-Prot) or `long` (700 to 1,022) residues."""
    source = random.Random(kind)
    lengths = {
        "short": lambda: source.randint(30, 120),
        "mixed": lambda: min(TRUNCATION, _swissprot_length(source)),
        "long": lambda: source.randint(700, TRUNCATION),
    }[kind]
    return ["".join(source.choices("ACDEFGHIKLMNPQRSTVWY", k=lengths())) for _ in range(n)]


def _swissprot_length(source: random.Random) -> int:
    rank = source.random() * (len(QUANTILES) - 1)
    low = QUANTILES[int(rank)]
    return round(low + (rank % 1) * (QUANTILES[int(rank) + 1] - low))


def recipe(model: PlmModel, proteins: list[str]) -> dict[int, list[torch.Tensor]]:
    """Run fair-esm's recipe; residues per layer and protein, in the order of `proteins`."""
    dataset = FastaBatchedDataset(range(len(proteins)), proteins)
    batches = dataset.get_batch_indices(TOKENS, extra_toks_per_seq=1)
    loader = torch.utils.data.DataLoader(
        dataset, collate_fn=model.module.alphabet.get_batch_converter(TRUNCATION), batch_sampler=batches
    )
    layers = list(range(model.n_layers + 1))
    kept: dict[int, dict[int, torch.Tensor]] = {layer: {} for layer in layers}
    with torch.no_grad():
        for labels, strings, tokens in loader:
            found = model.module(tokens, repr_layers=layers)["representations"]
            for row, (label, string) in enumerate(zip(labels, strings, strict=True)):
                n_residues = min(TRUNCATION, len(string))
                for layer in layers:
                    kept[layer][label] = found[layer][row, 1 : n_residues + 1].clone()
    return {layer: [one[i] for i in range(len(proteins))] for layer, one in kept.items()}


def sorted_padding(model: PlmModel, proteins: list[str]) -> None:
    """Run padded batches of similar lengths through fair-esm's module."""
    convert = model.module.alphabet.get_batch_converter()
    with torch.no_grad():
        for batch in token_budget_batches([len(protein) for protein in proteins], TOKENS):
            _, _, tokens = convert([("", proteins[i]) for i in batch])
            model.module(tokens, repr_layers=[model.n_layers])


def packed(forward: Esm2Forward, proteins: list[str]) -> dict[str, list[torch.Tensor]]:
    """Run the packed pass as the pipeline does; residues per hook point and protein."""
    kept: dict[str, dict[int, torch.Tensor]] = {}
    for batch in token_budget_batches([len(protein) for protein in proteins], 4 * TOKENS):
        for name, rows in forward.run([proteins[i] for i in batch]).items():
            kept.setdefault(name, {}).update(
                zip(batch, rows.split([len(proteins[i]) for i in batch]), strict=True)
            )
    return {name: [one[i] for i in range(len(proteins))] for name, one in kept.items()}


def matrix_products(shape: str, proteins: list[str]) -> Callable[[], None]:
    """Return a function that does the multiply-adds of the packed pass as plain `torch.mm`, and no more."""
    n_layers, d_model, n_heads = SHAPES[shape]
    head_dim = d_model // n_heads
    sizes = Counter(len(protein) + 2 for protein in proteins)
    n_tokens = 1024
    n_blocks = sum(size * times for size, times in sizes.items()) / n_tokens
    x, hidden = torch.randn(n_tokens, d_model), torch.randn(n_tokens, 4 * d_model)
    weights = [torch.randn(d_model, width) for width in (3 * d_model, d_model, 4 * d_model)]
    down = torch.randn(4 * d_model, d_model)

    def run() -> None:
        for _ in range(round(n_layers * n_blocks)):
            for weight in weights:
                torch.mm(x, weight)
            torch.mm(hidden, down)
        for size, times in sizes.items():
            q, k, scores = torch.randn(size, head_dim), torch.randn(head_dim, size), torch.empty(size, size)
            for _ in range(times * n_layers * n_heads):
                torch.mm(q, k, out=scores)
                torch.mm(scores, q)

    return run


def timed(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the best seconds of each way, the ways taking turns; one round before is not counted."""
    seconds = dict.fromkeys(ways, float("inf"))
    for i in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if i:
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds


def worst_difference(model: PlmModel, proteins: list[str]) -> float:
    """Return the largest |packed - recipe| / max(1, |recipe|) over all layers."""
    names = {i: f"layers.{i - 1}.resid_post" for i in range(1, model.n_layers)}
    names |= {0: "layers.0.resid_pre", model.n_layers: "final_norm"}
    ours, theirs = packed(Esm2Forward(model, list(names.values())), proteins), recipe(model, proteins)
    return max(
        float(((one - other).abs() / other.abs().clamp(min=1)).max())
        for layer, name in names.items()
        for one, other in zip(ours[name], theirs[layer], strict=True)
    )


def measure(shape: str, kind: str, rounds: int, n_proteins: int) -> dict[str, Any]:
    """Time all ways on one shape and one kind of sequences."""
    model, proteins = random_model(shape), random_proteins(kind, n_proteins)
    middle = Esm2Forward(model, [f"layers.{MIDDLE[shape]}.resid_post"])
    last = Esm2Forward(model, [f"layers.{model.n_layers - 1}.resid_post"])
    seconds = timed(
        {
            "fair_esm": lambda: recipe(model, proteins),
            "sorted_padding": lambda: sorted_padding(model, proteins),
            "packed_mid_layer": lambda: packed(middle, proteins),
            "packed_last_layer": lambda: packed(last, proteins),
            "matrix_products": matrix_products(shape, proteins),
        },
        rounds,
    )
    n_residues = sum(map(len, proteins))
    return {
        "shape": shape,
        "sequences": kind,
        "n_residues": n_residues,
        "residues_per_second": {name: round(n_residues / best) for name, best in seconds.items()},
        "speedup_mid_layer": round(seconds["fair_esm"] / seconds["packed_mid_layer"], 2),
        "speedup_last_layer": round(seconds["fair_esm"] / seconds["packed_last_layer"], 2),
        "matmul_share": round(seconds["matrix_products"] / seconds["packed_last_layer"], 3),
        "max_abs_diff": worst_difference(model, proteins),
    }


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--sequences", nargs="+", choices=["short", "mixed", "long"], default=None)
    parser.add_argument("--quick", action="store_true", help="Swiss-Prot lengths, a third of the proteins")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    about = provenance()
    kinds = arguments.sequences or (["mixed"] if arguments.quick else ["short", "mixed", "long"])
    found = []
    for shape in arguments.shapes:
        n_proteins = N_PROTEINS[shape] // (3 if arguments.quick else 1)
        for kind in kinds:
            found.append(measure(shape, kind, 2 if arguments.quick else 3, n_proteins))
            print(json.dumps(found[-1]), flush=True)
    summary = summarize(found)
    if arguments.output:
        result = {**about, "threads": arguments.threads, "measured": found, "summary": summary}
        write_text_atomic(arguments.output, json.dumps(result, indent=1) + "\n")
    print(json.dumps(summary))


def summarize(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of the last line; None for what was not measured."""
    mixed = {one["shape"]: one for one in found if one["sequences"] == "mixed"}
    eight = mixed.get("8M", {})
    return {
        "speedup_mid_layer": eight.get("speedup_mid_layer"),
        "speedup_last_layer": eight.get("speedup_last_layer"),
        "max_abs_diff": max(one["max_abs_diff"] for one in found),
        "matmul_share_8m": eight.get("matmul_share"),
        "matmul_share_150m": mixed.get("150M", {}).get("matmul_share"),
    }


if __name__ == "__main__":
    main()
