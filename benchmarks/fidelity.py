"""Fidelity of a sweep's finished members: docs/results/fidelity.csv, and how it was made in fidelity.json.

Usage, during or after `kedro run --env swissprot --pipelines sweeps`:

    python benchmarks/fidelity.py [--data data/swissprot] [--plm ../shared/plm/esm2_mini.safetensors]
        [--proteins 300]

Members that have rows for the same checkpoint are not measured again: the command can be repeated.
Test proteins are a sample; reconstruction is measured on the same sample. Prints means over seeds.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.provenance import ROOT, provenance, write_json
from protsae.activations.reader import ActivationStore
from protsae.core.files import write_text_atomic
from protsae.encoding.config import BatchConfig
from protsae.encoding.reading import encode
from protsae.encoding.run import Run
from protsae.fidelity.config import FidelityMetricsConfig, PassesConfig, SequencesConfig
from protsae.fidelity.judging import LONG, loss_rows, reconstruction_rows
from protsae.fidelity.sequences import PROTEIN, choose_sequences
from protsae.fidelity.splicing import measure_ablated, measure_spliced
from protsae.metrics.table import METRIC_COLUMNS, concat_metrics
from protsae.plm import load_plm
from protsae.sae.checkpoint import SaeCheckpoint

TABLE, ABOUT = (ROOT / "docs/results" / name for name in ("fidelity.csv", "fidelity.json"))
STRATA = ("", *LONG.values())
SHOWN = ("fve", "l0", "mlm_ce_clean", "mlm_ce_sae", "mlm_ce_mean", "loss_recovered", "loss_recovered_mean")


class FidelityTest:
    """The test of all members: the sample, its masks and the losses without a dictionary."""

    def __init__(self, data: Path, plm: Path, hook_point: str, n_proteins: int) -> None:
        self.store = ActivationStore(data / "04_feature/activations")
        proteins = pd.read_parquet(data / "03_primary/proteins.parquet")
        self.model, self.hook_point = load_plm(plm), hook_point
        self.passes, self.judging = PassesConfig(), FidelityMetricsConfig()
        settings = SequencesConfig(max_proteins=n_proteins)
        self.sequences, self.report = choose_sequences(proteins, self.store.protein_ids, settings)
        scored = self.sequences.loc[self.sequences["kind"] == PROTEIN, "sequence_id"]
        self.test = proteins[proteins["protein_id"].isin(scored)].reset_index(drop=True)
        self.losses = measure_ablated(
            self.model, self.store, proteins, self.sequences, self.hook_point, self.passes
        )

    def measure(self, checkpoint: SaeCheckpoint) -> pd.DataFrame:
        """Return the rows of one dictionary."""
        run = Run.of(checkpoint)
        sae = checkpoint.load()
        found = encode(self.store, sae, run, self.test, BatchConfig())
        sums, statistics = found.reconstruction_sums, found.latent_statistics
        spliced = measure_spliced(self.model, checkpoint, self.sequences, self.passes)
        rows = concat_metrics(
            [
                reconstruction_rows(sums, statistics, sae.config.d_model, run, self.judging),
                loss_rows(self.losses, spliced, run, self.judging),
            ]
        )
        return rows[rows["stratum"].isin(STRATA)]


def finished(sweep: Path) -> dict[str, SaeCheckpoint]:
    """Return the checkpoints of the members that are done, by name."""
    return {path.parent.name: SaeCheckpoint(path) for path in sorted(sweep.glob("*/sae.safetensors"))}


def main() -> None:
    """Measure what is not measured yet, and print what the table says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "data/swissprot", help="the data root")
    parser.add_argument("--plm", type=Path, default=ROOT / "../shared/plm/esm2_mini.safetensors")
    parser.add_argument("--proteins", type=int, default=300, help="test proteins, drawn at random")
    given = parser.parse_args()
    made = provenance()  # before the tables change, which are part of the tree
    about: dict[str, Any] = {"checkpoints": {}}
    if ABOUT.is_file() and TABLE.is_file():
        about = json.loads(ABOUT.read_text(encoding="utf-8"))
    is_same = about.get("n_proteins_asked") == given.proteins
    done = dict(about["checkpoints"]) if is_same else {}
    tables = [pd.read_csv(TABLE)] if done else []
    members = finished(given.data / "06_models/sweeps")
    todo = {name: c for name, c in members.items() if done.get(name) != c.metadata["fingerprint"]}
    test: FidelityTest | None = None
    for name, checkpoint in todo.items():
        if test is None:
            hook_point = str(checkpoint.metadata["hook_point"])
            test = FidelityTest(given.data, given.plm, hook_point, given.proteins)
        started = time.monotonic()
        tables = [table[table["member"] != name] for table in tables]
        tables.append(test.measure(checkpoint).assign(member=name))
        done[name] = checkpoint.metadata["fingerprint"]
        table = pd.concat(tables, ignore_index=True).sort_values("member", kind="stable")
        columns = ["member", *METRIC_COLUMNS]
        write_text_atomic(TABLE, table[columns].to_csv(index=False, float_format="%.6g"))
        # without the path of the data, which differs between machines
        command = {"command": f"python benchmarks/fidelity.py --proteins {given.proteins}"}
        content = {**made, **command, "n_proteins_asked": given.proteins, **test.report, "checkpoints": done}
        write_json(ABOUT, content)
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    print(summary(pd.read_csv(TABLE)).round(4).to_string())


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds, one row per architecture, settings and preset."""
    whole = table[table["stratum"].isna() & table["metric"].isin(SHOWN)]
    settings = whole["member"].str.replace(r"-seed\d+", "", regex=True)
    wide = whole.assign(settings=settings, preset=whole["preset"].fillna("")).pivot_table(
        index=["settings", "preset"], columns="metric", values="value"
    )
    return wide.reindex(columns=list(SHOWN))


if __name__ == "__main__":
    main()
