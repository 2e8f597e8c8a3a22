"""Speed and memory of the packed forward pass, against fair-esm's recipe and against sorted padding.

    python benchmarks/extraction.py [--shapes esm2_mini 8M 35M 150M] [--sequences short mixed long] [--quick]
                                    [--threads N] [--no-peaks] [--output FILE.json] [--merge]

Weights are random, of the shapes named. Sequences: `mixed`, those at equal distances in rank among
Swiss-Prot's proteins by length (of `../shared/data` where it is there, else random residues of such lengths);
`short`, 30 to 120 random residues; `long`, 700 to 1,022. The ways are timed in turn, and the best of three
rounds counts:

- fair-esm's recipe: batches of 4,096 tokens by its `FastaBatchedDataset`, sequences cut at 1,022 residues,
  padded, every layer run and kept (as its script `extract.py` does where all layers are asked for),
- plain padding: batches of 4,096 padded tokens, shortest first, stopping nowhere, one layer kept,
- packed, up to the middle layer and up to the last, in the default arithmetic and in the others,
- the matrix products of the packed pass alone, on as many threads: every product that occurs, of the sizes
  that occur, once in parts of one thread each as the pass does it, once one by one on all threads.

`matmul_share` is the time of these products, done the faster way, over that of the packed pass up to the last
layer. `load_average` says what else the machine did, before and after.

`peak_mb_1k` and `peak_mb_20k` are the peak resident memory (VmHWM) of processes that write shards of
1,000 and 20,000 proteins of 20 to 60 residues with random weights of esm2_mini's shape: short ones, so that
it is done in minutes. `--merge` adds to what the output file holds. The last line printed is one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from esm import FastaBatchedDataset

from helpers.extraction_inputs import SHAPES, proteins_of, random_model, random_proteins
from helpers.extraction_products import matrix_products
from helpers.provenance import peak_mb, provenance, write_json
from protsae.activations.config import ExtractionConfig
from protsae.activations.plan import plan_extraction
from protsae.activations.writer import write_activations
from protsae.plm.batching import token_budget_batches
from protsae.plm.checkpoint import PlmModel
from protsae.plm.forward import Esm2Forward

MIDDLE = {"esm2_mini": 1, "8M": 2, "35M": 5, "150M": 14}
RESIDUES = {"esm2_mini": 16_000, "8M": 8_000, "35M": 4_000, "150M": 2_000}
"""About so many residues are run, so that a round of the recipe takes seconds."""
TOKENS = 4096
TRUNCATION = 1022
DEFAULT = "fair_esm"
ARITHMETICS = ("fair_esm", "bfloat16")


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


def timed(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the best seconds of each way, the ways taking turns."""
    seconds = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return seconds


def worst_difference(model: PlmModel, proteins: list[str], arithmetic: Any) -> float:
    """Return the largest |packed - recipe| / max(1, |recipe|) over all layers."""
    names = {i: f"layers.{i - 1}.resid_post" for i in range(1, model.n_layers)}
    names |= {0: "layers.0.resid_pre", model.n_layers: "final_norm"}
    ours = packed(Esm2Forward(model, list(names.values()), arithmetic), proteins)
    theirs = recipe(model, proteins)
    return max(
        float(((one - other).abs() / other.abs().clamp(min=1)).max())
        for layer, name in names.items()
        for one, other in zip(ours[name], theirs[layer], strict=True)
    )


def measure(shape: str, kind: str, rounds: int, n_residues: int) -> dict[str, Any]:
    """Time all ways on one shape and one kind of sequences."""
    before = os.getloadavg()
    model, proteins = random_model(shape), proteins_of(kind, n_residues)
    ways: dict[str, Callable[[], Any]] = {
        "fair_esm_recipe": lambda: recipe(model, proteins),
        "sorted_padding": lambda: sorted_padding(model, proteins),
    }
    for arithmetic in ARITHMETICS:
        for where, layer in (("mid", MIDDLE[shape]), ("last", model.n_layers - 1)):
            forward = Esm2Forward(model, [f"layers.{layer}.resid_post"], arithmetic)
            ways[f"{arithmetic}_{where}_layer"] = lambda forward=forward: packed(forward, proteins)
    ways |= matrix_products(shape, proteins)
    for name, way in ways.items():  # not counted, and short for the slow ones
        if name.endswith(("mid_layer", "products_in_parts")):
            way()
    seconds = timed(ways, rounds)
    total = sum(map(len, proteins))
    products = min(seconds["matrix_products_in_parts"], seconds["matrix_products_on_all_threads"])
    ratios = {
        arithmetic: {
            "speedup_mid_layer": round(seconds["fair_esm_recipe"] / seconds[f"{arithmetic}_mid_layer"], 2),
            "speedup_last_layer": round(seconds["fair_esm_recipe"] / seconds[f"{arithmetic}_last_layer"], 2),
            "matmul_share": round(products / seconds[f"{arithmetic}_last_layer"], 3),
        }
        for arithmetic in ARITHMETICS
    }
    ratios[DEFAULT]["max_abs_diff"] = worst_difference(model, proteins, DEFAULT)
    return {
        "shape": shape,
        "sequences": kind,
        "n_proteins": len(proteins),
        "n_residues": total,
        "load_average": [round(before[0], 1), round(os.getloadavg()[0], 1)],
        "residues_per_second": {name: round(total / best) for name, best in seconds.items()},
        **ratios,
    }


def shards_peak_mb(n_proteins: int) -> float:
    """Return the peak memory in MB of another process that writes shards of so many proteins."""
    command = [sys.executable, __file__, "--write-shards", str(n_proteins)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def write_shards(n_proteins: int) -> None:
    """Write shards of random proteins, and print the peak memory of this process in MB."""
    proteins = random_proteins(20, 60, n_proteins)
    config = ExtractionConfig(
        hook_point="layers.2.resid_post",
        max_tokens_per_batch=4 * TOKENS,
        proteins_per_shard=128,
        dtype="float16",
        long_sequences="window",
        max_residues=1022,
    )
    plan = plan_extraction(
        [f"P{i:05d}" for i in range(n_proteins)], proteins, random_model("esm2_mini"), config
    )
    with tempfile.TemporaryDirectory() as folder:
        write_activations(plan, Path(folder))
    print(peak_mb())


def main() -> None:
    """Measure, print and, where asked, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shapes", nargs="*", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--sequences", nargs="+", choices=["short", "mixed", "long"], default=None)
    parser.add_argument("--quick", action="store_true", help="mixed sequences, a quarter of them, two rounds")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-peaks", action="store_true", help="leave out peak memory")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--merge", action="store_true", help="add to what the output file holds")
    parser.add_argument("--write-shards", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write_shards:
        write_shards(arguments.write_shards)
        return
    torch.set_num_threads(arguments.threads)
    about = provenance()  # of this run; what is merged in keeps its own
    result = {**about, "threads": arguments.threads, "measured": [], "peaks": {}}
    if arguments.merge and arguments.output.is_file():
        before = json.loads(arguments.output.read_text())
        result |= {"measured": before["measured"], "peaks": before["peaks"]}
    kinds = arguments.sequences or (["mixed"] if arguments.quick else ["short", "mixed", "long"])
    for shape in arguments.shapes:
        for kind in kinds:
            found = measure(
                shape, kind, 2 if arguments.quick else 3, RESIDUES[shape] // (4 if arguments.quick else 1)
            )
            found |= {"made_by": {name: about[name] for name in ("command", "commit")}}
            print(json.dumps(found), flush=True)
            old = [one for one in result["measured"] if (one["shape"], one["sequences"]) != (shape, kind)]
            result["measured"] = [*old, found]
    if not arguments.no_peaks:
        result["peaks"] = {
            "peak_mb_1k": shards_peak_mb(1000),
            "peak_mb_20k": shards_peak_mb(20_000),
            "made_by": {name: about[name] for name in ("command", "commit")},
        }
    summary = summarize(result["measured"], result["peaks"])
    if arguments.output:
        write_json(arguments.output, {**result, "summary": summary})
    print(json.dumps(summary))


def summarize(measured: list[dict[str, Any]], peaks: dict[str, float]) -> dict[str, Any]:
    """Return the figures of the last line, of the default arithmetic; None for what was not measured."""
    mixed = {one["shape"]: one[DEFAULT] for one in measured if one["sequences"] == "mixed"}
    eight = mixed.get("8M", {})
    return {
        "speedup_mid_layer": eight.get("speedup_mid_layer"),
        "speedup_last_layer": eight.get("speedup_last_layer"),
        "max_abs_diff": max((one[DEFAULT]["max_abs_diff"] for one in measured), default=None),
        "matmul_share_8m": eight.get("matmul_share"),
        "matmul_share_150m": mixed.get("150M", {}).get("matmul_share"),
        "peak_mb_1k": peaks.get("peak_mb_1k"),
        "peak_mb_20k": peaks.get("peak_mb_20k"),
    }


if __name__ == "__main__":
    main()
