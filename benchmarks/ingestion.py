"""Ingest, join, propagate, split and audit Swiss-Prot: time, memory, and how both grow.

    python benchmarks/ingestion.py [--data ../shared/data] [--shares 0.01 0.1 1] [--output result.json]

Each share of the proteins, drawn by a hash of their ids, goes through
`kedro run --pipelines labelling` with the settings of the environment `swissprot` in a process of
its own, from an empty cache: clusters as given, 500 held-out proteins audited (250 of validation, 250 of
test). `seconds` and `peak_mb` are those of that process for the largest share, `growth_exponent` is the slope
of log seconds over log proteins among the shares from a tenth on (1: linear; below: fixed costs such as the
ontology, which is always read whole). The last line is one JSON object.
"""

import argparse
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from helpers.provenance import ROOT, provenance, write_json
from protsae.core.files import sha256_text
from protsae.core.splits import SPLITS
from protsae.sequences.fasta import FastaConfig, FastaRecord, read_fasta

N_AUDITED_PER_SPLIT = 250
FROM_SHARE = 0.1  # below, fixed costs hide the growth


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data", help="folder of the full files")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.03, 0.1, 0.3, 1.0])
    parser.add_argument("--output", type=Path, help="write all shares there, as JSON")
    arguments = parser.parse_args()
    made, rows = provenance(), []
    for share in sorted(arguments.shares):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(share, arguments.data.resolve(), Path(folder)))
        print(json.dumps(rows[-1]), flush=True)
    table = pd.DataFrame(rows)
    last = rows[-1]
    result = {
        "seconds": last["seconds"],
        "peak_mb": last["peak_mb"],
        "growth_exponent": exponent(table, "seconds"),
        "growth_exponent_memory": exponent(table, "peak_mb"),
        "current": last["current"],
        "alternative": last["alternative"],
        "gone": last["gone"],
    }
    if arguments.output:
        write_json(arguments.output, {**made, "result": result, "shares": rows})
    print(json.dumps(result))


def exponent(table: pd.DataFrame, column: str) -> float | None:
    """Return the slope of log `column` over log proteins among the larger shares; None of fewer than two."""
    large = table[table["share"] >= FROM_SHARE]
    if len(large) < 2:
        return None
    slope, _ = np.polyfit(np.log(large["n_proteins"]), np.log(large[column]), 1)
    return round(float(slope), 3)


def measure(share: float, data: Path, folder: Path) -> dict[str, Any]:
    """Run everything up to the labels over a share of the proteins in a fresh process; return its cost."""
    write_environment(share, data, folder)
    command = [
        sys.executable,
        "-m",
        "kedro",
        "run",
        "--conf-source",
        str(folder / "conf"),
        "--env",
        "swissprot",
    ]
    command += ["--pipelines", "labelling"]
    started = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit((folder / "log").read_text()[-3000:])
    made = folder / "data"
    report = json.loads((made / "02_intermediate/annotation_report.json").read_text())
    audit = pd.read_csv(made / "03_primary/split_audit.csv")
    return {
        "share": share,
        "n_proteins": json.loads((made / "02_intermediate/sequence_report.json").read_text())["n_records"],
        "n_rows": report["n_rows"],
        "n_audited": int(audit.loc[audit["against"] == "train", "n_searched"].sum()),
        "seconds": round(seconds, 1),
        "peak_mb": round(usage.ru_maxrss / 1000),
        "current": report["n_rows_current"],
        "alternative": report["n_rows_alternative"] + report["n_rows_replaced"],
        "gone": report["n_rows_gone"],
        "n_concepts": len(pd.read_parquet(made / "03_primary/concepts.parquet")),
    }


def write_environment(share: float, data: Path, folder: Path) -> None:
    """Write a configuration whose environment `swissprot` reads a share and writes to `folder`."""
    shutil.copytree(ROOT / "conf", folder / "conf")
    conf = folder / "conf/swissprot"
    raw = data if share == 1 else write_share(share, data, folder / "raw")
    (conf / "globals.yml").write_text(
        yaml.safe_dump({"data_root": str(folder / "data"), "raw_root": str(raw)})
    )
    parameters = yaml.safe_load((conf / "parameters.yml").read_text())
    parameters["splitting"]["audit"]["n_sampled"] = N_AUDITED_PER_SPLIT
    if share < 1:  # few proteins carry few concepts: all that have any
        bounds = {split: max(1, round(100 * share)) for split in SPLITS}
        parameters["labelling"]["vocabulary"] |= {"min_positives": bounds, "min_clusters": bounds}
    (conf / "parameters.yml").write_text(yaml.safe_dump(parameters))


def write_share(share: float, data: Path, folder: Path) -> Path:
    """Write the proteins whose hashed id falls below `share`, and their annotations and clusters."""
    source, target = data / "swissprot_go", folder / "swissprot_go"
    target.mkdir(parents=True)
    (folder / "go").symlink_to(data / "go")
    records = [
        r for r in read_fasta(source / "proteins.fasta.gz", FastaConfig()) if keeps(share, r.protein_id)
    ]
    with gzip.open(target / "proteins.fasta.gz", "wt", compresslevel=1) as handle:
        handle.writelines(fasta_text(record) for record in records)
    kept = {record.protein_id for record in records}
    for name in ("annotations.tsv.gz", "clusters.tsv.gz"):
        table = pd.read_csv(source / name, sep="\t", dtype="str")
        table[table["accession"].isin(kept)].to_csv(target / name, sep="\t", index=False)
    return folder


def keeps(share: float, protein_id: str) -> bool:
    """Return whether a protein belongs to a share: larger shares hold the smaller ones."""
    return int(sha256_text("ingestion-benchmark", protein_id)[:13], 16) / 16**13 < share


def fasta_text(record: FastaRecord) -> str:
    """Return a record as FASTA."""
    return f">sp|{record.protein_id}\n{record.sequence}\n"


if __name__ == "__main__":
    main()
