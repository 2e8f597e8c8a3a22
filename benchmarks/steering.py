"""Time steering on one concept with esm2_mini, against the same decoding unsteered.

    python benchmarks/steering.py [--n-proteins 100] [--threads 2]

100 proteins of the demo, 30 % of the residues masked, eight rounds; a TopK dictionary with random weights of
the demo's size, one latent raised, another one off, the error added back: the time does not depend on the
weights. The last line is one JSON object: `seconds`, and `over_unsteered`, the quotient of the best of two
times.
"""

import argparse
import json
import time

import torch

from helpers.provenance import ROOT
from protsae.plm import load_plm
from protsae.sae.config import TopKConfig
from protsae.sae.topk import TopKSae
from protsae.sequences.fasta import FastaConfig, read_fasta
from protsae.steering import positions
from protsae.steering.config import DecodingConfig
from protsae.steering.decoding import Decoder, Template
from protsae.steering.edits import LatentEdit

DEMO = ROOT / "data" / "01_raw" / "demo"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n-proteins", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    model = load_plm(DEMO / "esm2_mini.safetensors")
    records = list(read_fasta(DEMO / "proteins.fasta", FastaConfig()))[: given.n_proteins]
    templates = [
        Template(one.protein_id, one.sequence, positions.random(one.sequence, 0.3, 0, one.protein_id))
        for one in records
    ]
    sae = TopKSae(TopKConfig(d_model=model.d_model, d_sae=1024, k=16), torch.Generator().manual_seed(0))
    edit = LatentEdit(sae.eval(), {0: 1.0}, suppressed=[1])
    decoder = Decoder(model, "layers.2.resid_post", DecodingConfig())
    best = {}
    for name, of in {"unsteered": None, "steered": edit}.items():
        times = []
        for _ in range(2):
            started = time.perf_counter()
            decoder.decode(templates, of)
            times.append(time.perf_counter() - started)
        best[name] = min(times)
    quotient = best["steered"] / best["unsteered"]
    print(json.dumps({"seconds": round(best["steered"], 1), "over_unsteered": round(quotient, 2)}))


if __name__ == "__main__":
    main()
