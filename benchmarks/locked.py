"""The locked test: proteins that no pipeline reads, looked at once per release (see CONTRIBUTING.md).

    python benchmarks/locked.py [--env swissprot]        # looks, and appends to docs/results/locked.csv
    python benchmarks/locked.py --draw                   # draws the list data/01_raw/locked.tsv again

Takes the finished members of a run's sweep, extracts the locked proteins with the run's language model, and
judges members and references as the run does, with the locked proteins as test split: whatever is chosen is
chosen on training and validation proteins. Locked proteins with a significant hit (MMseqs2) among the run's
proteins are left out, and so are concepts with fewer than ten positives; both are counted. Rows are means
over seeds with intervals over homology clusters, and paired differences.

A second look at the same commit and data needs a reason (`--again`), which is recorded.
"""

import argparse
import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from helpers.finished_run import FinishedRun
from helpers.locked_judging import LockedData, LockedProteins, extract, sequences_of
from helpers.locked_list import LIST, candidates_of, draw, find_hits, read_list, write_list
from helpers.provenance import ROOT, commit
from helpers.seeds import MEAN_OF_SEEDS, SD_OF_SEEDS
from probing import JudgeReferences, SweepRun, groups, table_of
from protsae.core.errors import InputError
from protsae.core.files import sha256_file, sha256_text, write_text_atomic
from protsae.metrics.table import METRIC_COLUMNS, concat_metrics, metric_records, metrics_table
from protsae.ontology.obo import read_obo
from protsae.plm import load_plm
from protsae.probing.config import NeighbourConfig, RandomPlmConfig
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sweeps.config import JudgingConfig
from protsae.sweeps.plan import CHECKPOINT_NAME, METRICS_NAME

TABLE = ROOT / "docs/results/locked.csv"
FULL_FILES = ROOT / "../shared/data"
FULL_DATA = "swissprot"
"""Environment whose files hold the locked proteins."""
METRICS = ("auc", "aupr", "fmax")
LOOK_COLUMNS = ("date", "commit", "data", "again")


@dataclass(frozen=True)
class Look:
    """What identifies one look."""

    date: str
    commit: str
    data: str
    """Hash of the list and of the checkpoints."""
    again: str
    """Why the same commit and data are looked at again; empty: it is the first time."""

    def refuse_repeats(self, table: Path) -> None:
        """Refuse a look that cannot be repeated by others, or that was there before.

        Args:
            table: the looks so far.

        Raises:
            InputError: the code is not that of a commit, or the same look is in the table.
        """
        if not re.fullmatch("[0-9a-f]+", self.commit):
            raise InputError(f"a look needs code that is committed, this is '{self.commit}': commit first")
        if self.again or not table.is_file():
            return
        before = pd.read_csv(table, dtype="str", usecols=list(LOOK_COLUMNS))
        same = before[(before["commit"] == self.commit) & (before["data"] == self.data)]
        if len(same):
            raise InputError(
                f"{table}: this commit and data were looked at on {same['date'].iloc[0]}. The locked test is "
                'for one look per release; if another is needed, say why: --again "reason"'
            )

    def append(self, rows: pd.DataFrame, table: Path) -> None:
        """Append rows of the metrics table to the looks so far."""
        named = rows[list(METRIC_COLUMNS)].assign(**vars(self))[[*LOOK_COLUMNS, *METRIC_COLUMNS]]
        text = named.to_csv(index=False, float_format="%.5g", header=not table.is_file())
        write_text_atomic(table, (table.read_text("utf-8") if table.is_file() else "") + text)


@dataclass(frozen=True)
class Judging:
    """Judges members and references on the locked proteins, and keeps what is done until the look ends."""

    data: LockedData
    config: JudgingConfig
    work: Path
    plm: Path
    n_shuffles: int

    def tables(self, checkpoints: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
        """Return estimates by member, then by hook point those of references and of shuffled labels.

        Args:
            checkpoints: member to its file.
        """
        found = {}
        hook_points: dict[str, None] = {}
        for member, path in checkpoints.items():
            checkpoint = SaeCheckpoint(path)
            hook_points[str(checkpoint.metadata["hook_point"])] = None
            print(f"judging {member}", flush=True)
            found[member] = self._kept(member, lambda of=checkpoint: self.data.dictionary(self.config, of)[0])
        for hook_point in hook_points:
            name = f"references-{hook_point}"
            table = self._kept(name, lambda at=hook_point: self.data.references(self.config, at))
            found[name] = table[table["method"] != "shuffled_labels"]
            unused = NeighbourConfig(), RandomPlmConfig()  # of baselines that are not looked at
            floor = JudgeReferences(self.data, self.config, self.work, self.plm, *unused)
            for seed, shuffled in enumerate(floor.shuffled(hook_point, self.n_shuffles)):
                found[f"shuffled-{hook_point}-seed{seed}"] = shuffled
        return found

    def _kept(self, name: str, judge: Callable[[], Any]) -> pd.DataFrame:
        path = self.work / f"{name}.parquet"
        if not path.is_file():
            judge().estimates().to_parquet(path)
        return pd.read_parquet(path)


def rows_of(tables: dict[str, pd.DataFrame], counts: Mapping[str, float], confidence: float) -> pd.DataFrame:
    """Return the rows of a look: means and spreads over seeds, differences, and what was counted.

    Args:
        tables: estimates, see `Judging.tables`.
        counts: name to number, shown as metrics of the method `locked`.
        confidence: share of the resamples inside an interval.
    """
    table = table_of(list(groups(tables)), confidence)
    shown = table[
        table["stratum"].isin([MEAN_OF_SEEDS, SD_OF_SEEDS])
        & table["metric"].isin(METRICS)
        & table["preset"].isin(["", "cafa"])
    ]
    counted = metrics_table(metric_records(dict(counts), method="locked", split="test"))
    return concat_metrics([counted, shown])


def finished_members(run: SweepRun) -> tuple[dict[str, Path], list[str]]:
    """Return the checkpoints of the members that are finished, and the ids of the others."""
    found, missing = {}, []
    for member in run.compared:
        folder = run.sweep_folder / member.member_id
        if (folder / METRICS_NAME).is_file() and (folder / CHECKPOINT_NAME).is_file():
            found[member.member_id] = folder / CHECKPOINT_NAME
        else:
            missing.append(member.member_id)
    return found, missing


def data_hash(locked: Path, checkpoints: Iterable[Path]) -> str:
    """Return a hash of the list and of the dictionaries that are looked at, twelve hex digits."""
    return sha256_text(sha256_file(locked), *sorted(map(sha256_file, checkpoints)))[:12]


def look(given: argparse.Namespace) -> None:
    """Look once, and append what was found."""
    run, full = SweepRun(given.env), FinishedRun(FULL_DATA)
    checkpoints, missing = finished_members(run)
    if not checkpoints:
        raise InputError(f"{run.sweep_folder} has no finished member: run the sweep first")
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    this = Look(today, commit(), data_hash(given.list, checkpoints.values()), given.again)
    this.refuse_repeats(given.output)
    names = ("raw_sequences", "raw_annotations", "raw_ontology")
    sequences, annotations, ontology = map(full.load, names)
    how = (run.load(f"params:annotation.{name}") for name in ("preset", "annotations"))
    listed = LockedProteins.read(read_list(given.list), sequences, annotations, read_obo(ontology), *how)
    hits = find_hits(listed.sequences, sequences_of(run.encoded))
    plm, judging = Path(run.load("plm_checkpoint")), run.load("params:sweeps.judging")
    with TemporaryDirectory(prefix="protsae-locked-") as folder:
        model, settings = load_plm(plm), run.load("params:extraction")
        store = extract(listed.without(hits), model, run.store, settings, Path(folder))
        locked = listed.in_place_of_test(run.data, store)
        work = run.sweep_folder.parents[1] / f"07_model_output/locked/{this.commit}-{this.data}"
        work.mkdir(parents=True, exist_ok=True)
        tables = Judging(locked, judging, work, plm, given.shuffles).tables(checkpoints)
    judge = locked.judge(judging)
    test = judge.splits["test"]
    clusters = locked.known.proteins.set_index("protein_id")["cluster_id"]
    counts = {
        "n_listed": len(listed.proteins),
        "n_with_hit": len(hits),
        "n_proteins": len(test.protein_ids),
        "n_clusters": clusters.loc[test.protein_ids].nunique(),
        "n_concepts": len(judge.columns),
        "n_concepts_left_out": len(run.columns) - len(judge.columns),
        "n_members": len(checkpoints),
    }
    rows = rows_of(tables, counts, judging.evaluation.confidence)
    this.append(rows, given.output)
    means = rows[(rows["aspect"] == "mean") & (rows["stratum"] == MEAN_OF_SEEDS)]
    print(means[["method", "k", "metric", "value", "low", "high"]].round(4).to_string(index=False))
    print(", ".join(f"{name} {value:.0f}" for name, value in counts.items()))
    if missing:
        print(f"{len(missing)} members of the list are missing: {', '.join(missing)}")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="swissprot", help="environment of the run with the sweep")
    parser.add_argument("--again", default="", help="why the same commit and data are looked at again")
    parser.add_argument("--shuffles", type=int, default=10, help="label shuffles for the floor")
    parser.add_argument("--draw", action="store_true", help="draw the list again, and look at nothing")
    parser.add_argument("--data", type=Path, default=FULL_FILES, help="for --draw: the full data")
    parser.add_argument("--list", type=Path, default=LIST, help="another list, to try the script out")
    parser.add_argument("--output", type=Path, default=TABLE)
    given = parser.parse_args()
    try:
        if given.draw:
            drawn = draw(candidates_of(given.data), find_hits)
            write_list(given.list, drawn)
            print(f"{given.list}: {len(drawn)} proteins of {len(set(drawn.values()))} clusters")
        else:
            look(given)
    except InputError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
