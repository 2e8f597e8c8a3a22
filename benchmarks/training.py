"""Speed of a TopK training step against a dense one, in one run.

    python benchmarks/training.py [--quick] [--threads N] [--rounds N]
                                  [--output docs/results/training_speed.json]

Dense: codes scattered into [batch, d_sae], dense products forth and back, `torch.optim.Adam`, the decoder's
gradient projected and its rows normalised, as the field's libraries do. Sparse: `protsae.sae.topk.TopKSae`
and the trainer's own optimiser. Same
formulas, same weights, no dead latents in either. The ways take turns, and the best round of each counts.
`over_encoder_matmul` is the sparse step over the encoder's product alone. `guided_over_topk_500` is a step of
ProtSAE with 500 defined latents (64 proteins of 32 residues, 5 % positives, 1,000 axioms of form NF1, the
gate's update included; the gates, which start half open, have come down to their rates before) over
TopK's, both of 4,096 latents at k 32. `peak_mb`: the most that another process which makes three steps takes
(VmHWM), imports included.
The last line printed is one JSON object.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from helpers.provenance import peak_mb, provenance, write_json
from protsae.sae.axioms import AxiomIndices
from protsae.sae.base import TrainingBatch
from protsae.sae.codes import SparseCodes
from protsae.sae.config import ProtSaeConfig, TopKConfig
from protsae.sae.losses import reconstruction_loss
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae
from protsae.training.optimiser import SaeAdam

D_MODEL, BATCH, N_DEFINED = 320, 2048, 500
N_SETTLING = 60
"""Updates of ProtSAE's thresholds before it is timed: gates start half open, and no training stays there."""
SIZES = [(d_sae, k) for d_sae in (4096, 16384, 40000) for k in (32, 100, 1000)]
QUICK = [(4096, 32), (16384, 32)]


def dense_loss(sae: TopKSae, batch: TrainingBatch) -> torch.Tensor:
    """Return the reconstruction loss by dense products."""
    scaled = sae.scale_input(batch.x)
    values, columns = torch.addmm(sae.b_enc, scaled, sae.encoder).topk(sae.config.k, dim=1, sorted=False)
    codes = SparseCodes(values.relu(), columns).dense(sae.config.d_sae)
    return reconstruction_loss(codes @ sae.W_dec + sae.b_dec, scaled)


def sparse_loss(sae: TopKSae, batch: TrainingBatch) -> torch.Tensor:
    """Return the loss as in training."""
    return sae.step_output(batch).losses["loss/total"]


def stepper(d_sae: int, k: int, *, dense: bool) -> Callable[[], None]:
    """Return a function that makes one whole training step on a fixed random batch."""
    sae = TopKSae(TopKConfig(d_model=D_MODEL, d_sae=d_sae, k=k), torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(sae.parameters()) if dense else SaeAdam(sae)
    x = torch.randn(BATCH, D_MODEL, generator=torch.Generator().manual_seed(1))
    batch = TrainingBatch(x, torch.zeros(d_sae, dtype=torch.bool))
    loss = dense_loss if dense else sparse_loss

    def finish() -> None:
        if isinstance(optimiser, SaeAdam):
            optimiser.finish_step(1.0)
            return
        sae.project_decoder_gradient()
        torch.nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
        optimiser.step()
        sae.normalise_decoder()

    def step() -> None:
        optimiser.zero_grad()
        loss(sae, batch).backward()
        finish()

    return step


def guided_stepper(d_sae: int, k: int) -> Callable[[], None]:
    """Return a function that makes one whole training step of ProtSAE on a fixed random batch."""
    generator = torch.Generator().manual_seed(0)
    config = ProtSaeConfig(
        d_model=D_MODEL, d_sae=d_sae, k=k, concept_ids=tuple(f"GO:{i:07d}" for i in range(N_DEFINED))
    )
    sae = ProtSae(config, generator)
    sae.set_concept_rates(torch.full((N_DEFINED,), 0.05))
    optimiser = SaeAdam(sae)
    batch = TrainingBatch(
        torch.randn(BATCH, D_MODEL, generator=generator),
        torch.zeros(d_sae, dtype=torch.bool),
        segment=torch.arange(BATCH) // 32,
        labels=(torch.rand(BATCH // 32, N_DEFINED, generator=generator) < 0.05).float(),
        labelled=torch.ones(BATCH // 32, N_DEFINED, dtype=torch.bool),
        axioms=AxiomIndices(
            torch.randint(N_DEFINED, (1000, 2), generator=generator),
            torch.empty(0, 3, dtype=torch.int64),
            N_DEFINED,
            0,
        ),
    )

    def step() -> None:
        optimiser.zero_grad()
        output = sae.step_output(batch)
        output.losses["loss/total"].backward()
        optimiser.finish_step(1.0)
        sae.after_step(batch, output)

    for _ in range(N_SETTLING):
        with torch.no_grad():
            sae.after_step(batch, sae.step_output(batch))
    return step


def best_seconds(ways: dict[str, Callable[[], Any]], n_rounds: int) -> dict[str, float]:
    """Return the best seconds of each way, the ways taking turns of three; the first round is not counted.

    A step after its like finds memory and caches as a training does; after another way's it does not.
    """
    best = dict.fromkeys(ways, float("inf"))
    for i in range(n_rounds + 1):
        for name, way in ways.items():
            for _ in range(3):
                start = time.perf_counter()
                way()
                if i:
                    best[name] = min(best[name], time.perf_counter() - start)
    return best


def steps_peak_mb(way: str, d_sae: int, k: int) -> float:
    """Return the peak memory in MB of another process that makes three steps."""
    command = [sys.executable, __file__, "--steps", way, str(d_sae), str(k)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def make_steps(way: str, d_sae: int, k: int) -> None:
    """Make three steps, and print the peak memory of this process in MB."""
    step = stepper(d_sae, k, dense=way == "dense")
    for _ in range(3):
        step()
    print(peak_mb())


def measure(d_sae: int, k: int, n_rounds: int) -> dict[str, Any]:
    """Time the ways in turn; best of the rounds after one to warm up."""
    x, weight = torch.randn(BATCH, D_MODEL), torch.randn(d_sae, D_MODEL)
    ways = {
        "dense": stepper(d_sae, k, dense=True),
        "sparse": stepper(d_sae, k, dense=False),
        "encoder": lambda: x @ weight.T,
    }
    best = best_seconds(ways, n_rounds)
    return {
        "d_sae": d_sae,
        "k": k,
        **{f"{name}_s": round(seconds, 4) for name, seconds in best.items()},
        "dense_tokens_per_s": round(BATCH / best["dense"]),
        "sparse_tokens_per_s": round(BATCH / best["sparse"]),
        "speedup": round(best["dense"] / best["sparse"], 2),
        "over_encoder_matmul": round(best["sparse"] / best["encoder"], 2),
        **{f"{way}_peak_mb": steps_peak_mb(way, d_sae, k) for way in ("dense", "sparse")},
    }


def main() -> None:
    """Measure every size and print the table, then one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the two sizes of the summary only")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--steps", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.steps:
        make_steps(arguments.steps[0], *map(int, arguments.steps[1:]))
        return
    about = provenance()
    torch.set_num_threads(arguments.threads)
    rows = []
    for d_sae, k in QUICK if arguments.quick else SIZES:
        rows.append(measure(d_sae, k, arguments.rounds))
        print(rows[-1], flush=True)
    guided = best_seconds(
        {"protsae": guided_stepper(4096, 32), "topk": stepper(4096, 32, dense=False)}, arguments.rounds
    )
    found = {(row["d_sae"], row["k"]): row for row in rows}
    summary = {
        "speedup_4096": found[4096, 32]["speedup"],
        "speedup_16384": found[16384, 32]["speedup"],
        "over_encoder_matmul_4096": found[4096, 32]["over_encoder_matmul"],
        "guided_over_topk_500": round(guided["protsae"] / guided["topk"], 2),
    }
    if arguments.output:
        result = {**about, "threads": arguments.threads, "batch": BATCH, "d_model": D_MODEL}
        write_json(arguments.output, {**result, "summary": summary, "sizes": rows})
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
