"""How well each unguided architecture recovers planted dictionaries, with and without hierarchy.

`python benchmarks/planted.py [--seeds 3] [--steps 2000]` writes docs/results/planted.csv and prints it; the
last line is one JSON object: absorption of each architecture as a share of TopK's in the same run. Codes are
matched: TopK's family gets k, the penalties are steered to the same L0 and GBA to the planted frequencies.
"""

import argparse
import json

import pandas as pd

from helpers.planted import Planted, judge_on_planted
from helpers.provenance import ROOT
from protsae.core.seeding import torch_generator
from protsae.sae.config import CONFIGS, shaped_config
from protsae.sae.registry import UNGUIDED

OUT = ROOT / "docs/results/planted.csv"
D_MODEL = 48


def settings_of(architecture: str, planted: Planted, k: int) -> dict:
    """Return what makes the codes of an architecture as sparse as those of the others."""
    if architecture in ("relu", "jumprelu", "gated"):
        return {"target_l0": float(k)}
    if architecture == "gba":
        frequency = k / len(planted.directions)
        return {"n_groups": 4, "highest_frequency": 3 * frequency, "lowest_frequency": frequency / 3}
    if architecture == "matryoshka":
        return {"group_shares": (0.125, 0.125, 0.25, 0.5)}
    return {}


def main() -> None:
    """Train every architecture on both dictionaries with every seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=2000)
    arguments = parser.parse_args()
    dictionaries = {
        "flat": (Planted.flat(96, D_MODEL, 4, torch_generator(0, "flat")), 4),
        "hierarchical": (Planted.hierarchical(16, 5, D_MODEL, 2, torch_generator(0, "tree")), 3),
    }
    rows = []
    for name, (planted, k) in dictionaries.items():
        n = len(planted.directions)
        for architecture in UNGUIDED:
            settings = settings_of(architecture, planted, k)
            config = shaped_config(CONFIGS[architecture], settings, d_model=D_MODEL, d_sae=n, k=k)
            for seed in range(arguments.seeds):
                found = judge_on_planted(config, planted, n_steps=arguments.steps, seed=seed)
                rows.append({"dictionary": name, "architecture": architecture, "seed": seed, **found})
                print(json.dumps(rows[-1]), flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(OUT, index=False, float_format="%.4f")
    means = table.drop(columns="seed").groupby(["dictionary", "architecture"], sort=False).mean()
    print(means.round(3).to_string())
    absorption = means.loc["hierarchical", "absorption"]
    print(json.dumps((absorption / absorption["topk"]).round(3).to_dict()))


if __name__ == "__main__":
    main()
