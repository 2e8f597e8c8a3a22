"""Binding residues (metal, nucleic acid, small molecule) in the latents of trained dictionaries.

    python benchmarks/binding.py MEMBERS [--data ../shared/data/binding] [--trained-on PROTEINS]
                                 [--plm data/01_raw/demo/esm2_mini.safetensors]
                                 [--output docs/results/binding.csv]

MEMBERS is a folder of autoencoders, one folder each with `sae.safetensors`, as `kedro run --pipelines sweeps`
makes it. PROTEINS is the `proteins.parquet` of that run: how many of the binding proteins have a relative
among its training proteins is counted.

The 1,314 proteins, which no dictionary was trained for, are clustered by homology, split by cluster
and audited by search, as in every run; relatives of training proteins leave the held-out splits. Their
activations come from the language model, run whole. Scores of residues:

`<member>_latent`: the latent of best F1 on validation, one per class. `<member>_probe_20`: a logistic
regression on the 20 latents that correlate most with the class in training. `neurons_latent`,
`random_directions_latent`, `residue_windows_latent`: the best latent of each untrained baseline.
`linear_probe`, `residue_windows_probe`: logistic regressions on activations, and on one-hot windows of nine
residues, their strength chosen on validation. `residue_identity`: the share of positives among training
residues of the amino acid.

AUC, average precision and F1 (threshold chosen on validation) on test residues, with 95 % intervals over
resampled homology clusters; `..._over_identity` are paired differences from residue identity. The table has
the columns of metrics.csv; a Markdown file next to it has means over seeds.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from helpers.provenance import ROOT, provenance
from helpers.residue_scores import (
    BySplit,
    dense_probe_scores,
    identity_scores,
    judge_scores,
    latent_scores,
    probe_scores,
    residue_matrix,
    score_rows,
)
from protsae.activations.reader import ActivationStore
from protsae.annotations.binding import read_binding_sites
from protsae.annotations.labels import LabelTables
from protsae.core.files import write_text_atomic
from protsae.core.splits import SPLITS
from protsae.encoding.batches import Residues
from protsae.encoding.run import Run
from protsae.interpretation.align import AlignmentTask
from protsae.interpretation.baselines import (
    Description,
    of_autoencoder,
    of_neurons,
    of_random_directions,
    of_windows,
)
from protsae.interpretation.config import BaselineConfig, ChoiceConfig, KSparseConfig
from protsae.interpretation.random_model import extract_into
from protsae.interpretation.sources import FreshCodes, LettersOnly
from protsae.metrics.table import concat_metrics
from protsae.plm import PlmModel, load_plm
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sequences.audit import AuditConfig, RelativeConfig, audit_split
from protsae.sequences.clustering import ClusterConfig, cluster_table
from protsae.sequences.homology import SearchConfig, find_hits
from protsae.sequences.split import SplitConfig, split_table
from protsae.sequences.table import SequenceTableConfig, sequence_table

CLASSES = {"metal": "metal", "nucleic acid": "nuclear", "small molecule": "small"}
STRENGTHS = (0.0001, 0.001, 0.01, 0.1)
SEEDS, K_PROBE = (0, 1, 2), 20


def proteins_and_labels(folder: Path) -> tuple[pd.DataFrame, LabelTables]:
    """Read, cluster, deal and audit the proteins; their binding sites are concepts of residues."""
    sequences, _ = sequence_table(folder / "all.fasta", SequenceTableConfig())
    source = read_binding_sites(
        {name: folder / f"binding_residues_2.5_{file}.txt" for name, file in CLASSES.items()}
    )
    name_of = dict(zip(sequences["protein_id"], sequences["protein_id"], strict=True))
    for protein_id, aliases in zip(sequences["protein_id"], sequences["aliases"], strict=True):
        name_of |= dict.fromkeys([alias for alias in aliases.split(";") if alias], protein_id)
    concepts = pd.DataFrame(
        {
            "concept_idx": range(len(source.terms)),
            "concept_id": source.terms["term_id"],
            "name": source.terms["name"],
            "aspect": "binding",
            "level": "residue",
        }
    )
    index = dict(zip(concepts["concept_id"], concepts["concept_idx"], strict=True))
    spans = source.spans.assign(protein_id=source.spans["accession"].map(name_of)).dropna()
    spans = spans.assign(concept_idx=spans["term_id"].map(index)).drop_duplicates(
        ["protein_id", "concept_idx", "start"]
    )
    listed = source.listed["accession"].map(name_of).dropna().unique()
    clusters, report = cluster_table(sequences, None, ClusterConfig(method="builtin"))
    print(json.dumps({name: value for name, value in report.items() if not isinstance(value, dict | list)}))
    carried = spans[["protein_id"]].assign(concept_id=spans["term_id"]).drop_duplicates()
    assigned, _ = split_table(clusters, carried, SplitConfig(n_salts=8))
    proteins, audit = audit_split(sequences, assigned, AuditConfig(max_leak_share=1.0))
    print(audit[["split", "against", "n_searched", "n_with_relative", "n_excluded"]].to_string(index=False))
    tables = LabelTables(
        concepts,
        spans[["protein_id", "concept_idx"]].drop_duplicates(),
        pd.DataFrame({"protein_id": listed, "aspect": "binding"}),
        spans[["protein_id", "concept_idx", "instance", "start", "end"]],
    )
    return proteins, tables


class Stored:
    """Activations of all proteins, extracted once per hook point into a folder."""

    def __init__(self, folder: Path, model: PlmModel, sequences: dict[str, str]) -> None:
        self._folder, self._model, self._sequences = folder, model, sequences
        self._stores: dict[str, ActivationStore] = {}

    def iter_residues(self, hook_point: str, protein_ids: Iterable[str]) -> Iterator[Residues]:
        """Yield proteins with their activations, in the order asked for."""
        if hook_point not in self._stores:
            arguments = self._folder / hook_point, self._model, hook_point, self._sequences
            self._stores[hook_point] = extract_into(*arguments)
        names = list(protein_ids)
        found = {
            residues[0]: residues for residues in self._stores[hook_point].iter_residues(hook_point, names)
        }
        yield from (found[name] for name in names)


class Table:
    """Rows of all methods, each compared with residue identity."""

    def __init__(self, task: AlignmentTask) -> None:
        self._task, self.parts = task, []
        scores = identity_scores(task)
        self._identity = judge_scores(scores, task)
        self.parts.append(
            score_rows(
                self._identity,
                self._identity,
                task,
                {"method": "residue_identity", "supervision": "probe"},
            )
        )

    def add(self, method: str, supervision: str, scores: BySplit, **about: Any) -> None:
        """Judge the scores of a method."""
        judged = judge_scores(scores, self._task)
        given = {"method": method, "supervision": supervision, **about}
        self.parts.append(score_rows(judged, self._identity, self._task, given))
        means = ", ".join(f"{metric} {values.mean():.3f}" for metric, values in judged.values.items())
        print(f"{method} (seed {about.get('seed', '-')}): {means}", flush=True)

    def add_latents(self, dictionary: Description, source: Any, hook_point: str = "", **about: Any) -> None:
        """Judge the best latents of a dictionary, and a probe on a few of them."""
        config = self._task.config
        codes = FreshCodes(source, hook_point, dictionary, self._task.proteins, config.residues_per_batch)
        name, about = dictionary.name, {"hook_point": hook_point, **about}
        self.add(f"{name}_latent", "selection", latent_scores(codes, self._task), **about)
        self.add(f"{name}_probe_{K_PROBE}", "probe", probe_scores(codes, self._task, K_PROBE), **about)


def members(folder: Path) -> list[tuple[str, SaeCheckpoint]]:
    """Return the autoencoders of a sweep by name: architecture, and k where several differ in it."""
    found = [SaeCheckpoint(path) for path in sorted(folder.glob("*/sae.safetensors"))]
    if not found:
        raise SystemExit(f"no */sae.safetensors in {folder}")
    named = []
    for checkpoint in found:
        run = Run.of(checkpoint)
        stem = checkpoint.path.parent.name.split(f"-{run.hook_point}")[0]
        ks = {Run.of(other).k for other in found if other.path.parent.name.startswith(f"{stem}-")}
        named.append((f"{stem}_k{run.k}" if len(ks) > 1 else stem, checkpoint))
    return named


def relatives(proteins: pd.DataFrame, trained_on: Path | None) -> str:
    """Say how many of the test proteins have a relative among those that dictionaries were trained on."""
    if trained_on is None:
        return "Relatives among the dictionaries' training proteins were not counted."
    theirs = pd.read_parquet(trained_on, columns=["protein_id", "sequence", "split"]).query(
        "split == 'train'"
    )
    queries = proteins[proteins["split"] == "test"].set_index("protein_id")["sequence"].to_dict()
    targets = dict(zip("t:" + theirs["protein_id"], theirs["sequence"], strict=True))
    criterion = RelativeConfig()
    found = {hit.query_id for hit in find_hits(queries, targets, SearchConfig()) if criterion.holds(hit)}
    return (
        f"{len(found)} of the {len(queries)} test proteins have a relative among the "
        f"{len(targets):,} training proteins ({criterion.describe()}) of the "
        " dictionaries, which never saw binding sites; ProtSAE saw terms of the Gene Ontology there."
    )


def measure(
    arguments: argparse.Namespace, proteins: pd.DataFrame, tables: LabelTables, folder: Path
) -> pd.DataFrame:
    """Return the rows of all methods; activations go below the folder."""
    inside = proteins[proteins["split"].isin(SPLITS)]
    sequences = dict(zip(inside["protein_id"], inside["sequence"], strict=True))
    task = AlignmentTask.of(inside, tables, list(sequences), ChoiceConfig(), KSparseConfig())
    source = Stored(folder, load_plm(arguments.plm), sequences)
    table, baselines = Table(task), BaselineConfig()
    windows = of_windows(baselines.flank)
    letters = LettersOnly(task.proteins)
    codes = FreshCodes(letters, "", windows, task.proteins, 65_536)
    one_hot = {split: residue_matrix(codes, task, split).toarray() for split in SPLITS}
    table.add("residue_windows_probe", "probe", dense_probe_scores(one_hot, task, STRENGTHS))
    del one_hot
    table.add_latents(windows, letters)
    named = members(arguments.members)
    for hook_point in sorted({Run.of(checkpoint).hook_point for _, checkpoint in named}):
        x = {
            split: np.concatenate([block for *_, block in source.iter_residues(hook_point, ids)])
            for split, ids in task.proteins.ids.items()
        }
        mean = torch.from_numpy(x["train"].mean(axis=0, dtype=np.float64)).float()
        table.add("linear_probe", "probe", dense_probe_scores(x, task, STRENGTHS), hook_point=hook_point)
        table.add_latents(of_neurons("neurons", mean), source, hook_point)
        for seed in SEEDS:
            directions = of_random_directions(mean, baselines.n_directions, baselines.k, seed)
            table.add_latents(directions, source, hook_point, k=baselines.k, seed=seed)
    for name, checkpoint in named:
        run = Run.of(checkpoint)
        table.add_latents(
            of_autoencoder(name, checkpoint.load()), source, run.hook_point, seed=run.seed, k=run.k
        )
    return concat_metrics(table.parts)


def as_markdown(table: pd.DataFrame, about: dict[str, str], notes: list[str]) -> str:
    """Return means over seeds, one line per method, with the widest bounds of the seeds."""
    lines = [
        "# Binding residues",
        "",
        f"Made by `{about['command']}` at commit {about['commit']}, on {about['machine']}.",
        *("", *notes),
        "",
        "Means over seeds; intervals (95 %, over resampled homology clusters) from the lowest bound to the "
        "highest of the seeds. The last column is the paired difference of AUPR from residue identity.",
    ]
    for aspect in ["all", *sorted(set(table["aspect"]) - {"all"})]:
        rows = table[table["aspect"] == aspect]
        lines += [
            "",
            f"## {'Mean over the classes' if aspect == 'all' else aspect.removeprefix('binding:')}",
            "",
        ]
        lines += [
            "| method | seeds | AUC | AUPR | F1 | AUPR over identity |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        order = rows[rows["metric"] == "aupr"].groupby("method")["value"].mean().sort_values(ascending=False)
        for method in order.index:
            own = rows[rows["method"] == method]
            cells = [
                f"{part['value'].mean():.3f} ({part['low'].min():.3f} to {part['high'].max():.3f})"
                for metric in ("auc", "aupr", "f1", "aupr_over_identity")
                for part in [own[own["metric"] == metric]]
            ]
            lines.append(f"| `{method}` | {max(own['seed'].nunique(), 1)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("members", type=Path)
    parser.add_argument("--data", type=Path, default=ROOT / "../shared/data/binding")
    parser.add_argument("--trained-on", type=Path)
    parser.add_argument("--plm", type=Path, default=ROOT / "data/01_raw/demo/esm2_mini.safetensors")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    about = provenance()
    proteins, tables = proteins_and_labels(arguments.data)
    counts = proteins["split"].value_counts().to_dict()
    notes = [
        f"Proteins: {', '.join(f'{counts.get(split, 0)} {split}' for split in (*SPLITS, 'excluded'))}. "
        + relatives(proteins, arguments.trained_on)
    ]
    print(notes[0])
    with TemporaryDirectory(prefix="protsae-binding-") as folder:
        table = measure(arguments, proteins, tables, Path(folder))
    if arguments.output:
        write_text_atomic(arguments.output, table.to_csv(index=False, float_format="%.6g"))
        write_text_atomic(arguments.output.with_suffix(".md"), as_markdown(table, about, notes))
    print(as_markdown(table, about, notes))


if __name__ == "__main__":
    main()
