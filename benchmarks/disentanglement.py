"""Disentanglement of every finished member of a sweep, as rows of docs/results/disentanglement.csv.

During or after `kedro run --env swissprot --pipelines sweeps --params ingestion.sequences.n_sampled=20000`:

    python benchmarks/disentanglement.py [--env swissprot] [--members protsae- topk-] [--again]

`member` and `checkpoint` (the first digits of its SHA-256) precede the columns of metrics.csv. A member
whose checkpoint has its rows is not measured again. Prints means over seeds, and which members of the list
are missing; `--members` selects those whose folder's name begins with one of these.
"""

import argparse
import logging
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from helpers.finished_run import FinishedRun
from helpers.provenance import ROOT
from protsae.core.files import sha256_file, write_text_atomic
from protsae.disentanglement.embeddings import COLUMNS as EMBEDDING_COLUMNS
from protsae.disentanglement.measuring import JudgedProteins, measure_concepts, measure_monosemanticity
from protsae.encoding.config import EncodingConfig
from protsae.encoding.reading import encode_and_store, mean_activations
from protsae.encoding.run import Run
from protsae.interpretation.dictionary import EncodedDictionary
from protsae.metrics.table import METRIC_COLUMNS, concat_metrics
from protsae.ontology.obo import Ontology
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sweeps.members import Member

TARGET = ROOT / "docs/results/disentanglement.csv"
COLUMNS = ["member", "checkpoint", *METRIC_COLUMNS]
DIGITS = 12


class SweepRun(FinishedRun):
    """A run whose sweep is in progress or finished."""

    def __init__(self, environment: str) -> None:
        """Open the run."""
        super().__init__(environment)
        load = self.load
        self.of_latents = load("params:disentanglement.monosemanticity")
        self.of_concepts = load("params:disentanglement.absorption")
        batches = load("params:sweeps.judging").encoding
        self.encoding = EncodingConfig(residues_per_batch=batches.residues_per_batch)
        self.ontology = Ontology(load("concept_terms"), load("concept_relations"))
        self.judged = JudgedProteins.of(
            self.encoded["protein_id"],
            self.of_latents.split,
            proteins=self.encoded,
            protein_concepts=load("protein_concepts"),
            concept_terms=self.ontology.terms,
            concept_relations=self.ontology.relations,
            judge_embeddings=pd.DataFrame(columns=EMBEDDING_COLUMNS),
        )

    def checkpoint(self, member: Member) -> Path:
        """Return where a member's checkpoint lies once it is trained."""
        return self.sweep_folder / member.member_id / "sae.safetensors"

    def is_finished(self, member: Member) -> bool:
        """Return whether a member was trained to the end."""
        return self.checkpoint(member).is_file()

    def dictionary(self, member: Member) -> pd.DataFrame:
        """Return a member's rows of the metrics table."""
        checkpoint = SaeCheckpoint(self.checkpoint(member))
        run, sae = replace(Run.of(checkpoint), method=member.dictionary.name), checkpoint.load()
        found, codes = encode_and_store(self.store, sae, run, self.encoded, self.encoding)
        tables = found.latent_statistics, found.proteins
        subject = EncodedDictionary.of(run, *tables, self.judged.ids, self.of_latents.pooling)
        judged = self.judged, self.of_latents
        _, rows = measure_monosemanticity(subject, *judged, codes, self.tables.concepts)
        arguments = found.proteins, found.latent_statistics, self.labelled, self.ontology
        _, _, more_rows = measure_concepts(codes, *arguments, self.of_concepts)
        return concat_metrics([rows, more_rows])

    def neurons(self, hook_point: str) -> pd.DataFrame:
        """Return the rows of the activations' own dimensions."""
        means = mean_activations(self.store, hook_point, list(self.split_of))
        subject = EncodedDictionary.neurons(hook_point, means, self.judged.ids)
        return measure_monosemanticity(subject, self.judged, self.of_latents)[1]


def written(path: Path) -> pd.DataFrame:
    """Return the rows that the result holds."""
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS)
    kinds = {"checkpoint": "str", "n": "Int64", "seed": "Int64", "k": "Int64"}
    return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values={c: [""] for c in NUMBERS})


NUMBERS = ("value", "n", "seed", "k", "low", "high")


def write(path: Path, member: str, checkpoint: str, rows: pd.DataFrame, order: list[str]) -> None:
    """Put a member's rows in the place of those that it had, members in the order of the list."""
    table = written(path)
    others = table[table["member"] != member]
    own = rows.assign(member=member, checkpoint=checkpoint)[COLUMNS]
    merged = pd.concat([others, own], ignore_index=True) if len(others) else own
    place = {name: i for i, name in enumerate(order)}
    merged = merged.sort_values("member", key=lambda m: m.map(place).fillna(-1), kind="stable")
    write_text_atomic(path, merged.to_csv(index=False, float_format="%.6g"))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return means over seeds, one row per method, k of the TopK curve and kind of latent."""
    shown = table[~table["metric"].str.contains("judged_share|background|raw|f1_first")].copy()
    shown["k"] = shown["k"].fillna(0).astype(int).where(shown["method"] == "topk", 0)
    judge = (shown["preset"] + " " + shown["aspect"]).str.replace("^ all$", "", regex=True).str.strip()
    name = shown["metric"].str.replace("monosemanticity", "ms").str.replace("absorption", "abs")
    shown["name"] = (name.str.replace("splitting", "split") + " " + judge).str.strip()
    return shown.pivot_table(index=["method", "k", "stratum"], columns="name", values="value").round(3)


def main() -> None:
    """Measure what is finished and not measured yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default="swissprot")
    parser.add_argument("--members", nargs="+", default=[""])
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--output", type=Path, default=TARGET)
    arguments = parser.parse_args()
    run = SweepRun(arguments.env)
    logging.getLogger("protsae").setLevel(logging.WARNING)
    order = ["neurons", *(member.member_id for member in run.members)]
    done = set() if arguments.again else set(written(arguments.output)["checkpoint"])
    for hook_point in dict.fromkeys(member.hook_point for member in run.members):
        key = run.store.fingerprint()[:DIGITS]
        if key not in done:
            write(arguments.output, "neurons", key, run.neurons(hook_point), order)
    for member in run.members:
        if not run.is_finished(member) or not member.member_id.startswith(tuple(arguments.members)):
            continue
        key = sha256_file(run.checkpoint(member))[:DIGITS]
        if key in done:
            continue
        started = time.perf_counter()
        write(arguments.output, member.member_id, key, run.dictionary(member), order)
        print(f"{member.member_id}: {time.perf_counter() - started:.0f} s", flush=True)
    pd.set_option("display.width", 250, "display.max_columns", 50)
    print(summary(written(arguments.output)).to_string())
    missing = [member.member_id for member in run.members if not run.is_finished(member)]
    print(
        f"{len(run.members) - len(missing)} of {len(run.members)} members are finished; missing: "
        f"{', '.join(missing) or 'none'}"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
