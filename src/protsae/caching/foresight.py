"""What nodes will cost: the cost of a run of known sizes, scaled by how their work grows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from protsae.caching.records import Record, read_json, read_record
from protsae.caching.sizes import Sizes

FIGURES = Path(__file__).with_name("foresight.json")
"""Costs of the demo by kind of node, written by `benchmarks/foresight.py`."""

Law = tuple[str, ...]
"""Sizes whose product the cost is proportional to; none: it is constant."""
Sum = dict[Law, float]
"""Laws that the cost is a sum of, and how much each of their units weighs."""
_PASS = ("layers", "d_model", "d_model")
_TRAINING: tuple[Law, Law] = (("drawn", "d_model", "d_sae"), ("d_model", "d_sae"))
_SPLICING: tuple[Law, Law] = (("spliced", *_PASS), ("spliced",))
_JUDGING: tuple[Law, Law] = (("proteins", "resamples"), ("proteins",))
_EXPLORER: Sum = {("dictionaries", "pages"): 7.0, ("dictionaries", "d_sae"): 9.0}
"""Kilobytes of a protein's page and of a latent's card: most of the explorer's folder."""
_LAWS: dict[str, tuple[Law | Sum, Law | Sum]] = {
    "extract_activations": (("residues", *_PASS), ("residues", "d_model")),
    "pool_random_plm": (("residues", *_PASS), ("proteins", "d_model")),
    "pool_activations": (("residues", "d_model"), ("proteins", "d_model")),
    "plan_training": _TRAINING,
    "plan_guided_training": _TRAINING,
    "gate_linear_probe": (("drawn", "d_model"), ("proteins",)),
    "align_baselines": (("residues", "d_sae"), ("d_sae",)),
    "encode_proteins": (("residues", "d_model", "d_sae"), ("proteins", "d_sae")),
    "splice_dictionary": _SPLICING,
    "measure_ablations": _SPLICING,
    "audit_splits": (("proteins", "audited"), ("proteins",)),
    "find_neighbours": (("proteins", "proteins"), ("proteins",)),
    "score_dictionary": (("proteins", "d_sae"), ("proteins",)),
    "evaluate_dictionary": _JUDGING,
    "evaluate_references": _JUDGING,
    "compare_methods": _JUDGING,
    "build_explorer": (_EXPLORER, _EXPLORER),
}
"""Kind of node to how its time and its disk space grow; the others grow with the proteins."""
_CONSTANT = ("plot_", "read_", "collect_", "render_", "lay_out_", "name_", "parse_ontology", "normalise_")
_LEAN_STAGES = {"ingestion", "annotation", "splitting", "labelling", "extraction"}
_MB_PER_PROTEIN = 0.02
"""Of the lean stages: 20,000 of Swiss-Prot's proteins against the demo took 8 to 27 kB for each."""
_MB_PER_PROTEIN_AND_LATENT = 210e-6
"""Of the other stages: with 1,024 latents 8,000 antibodies took 2,888 MB where 2,000 took 1,415; 182 of the
difference are stored activations."""


@dataclass(frozen=True)
class Cost:
    """What one node or several take."""

    seconds: float
    n_bytes: float
    peak_mb: float
    of_demo: bool = False
    """Whether the demo's figures had to serve: nothing of the kind has run here."""


def kind_of(node: str) -> str:
    """Return the kind of a node: its name without pipeline and dictionary."""
    return node.rpartition(".")[2]


def total(costs: Iterable[Cost]) -> Cost:
    """Return what nodes take that run one after another."""
    costs = list(costs)
    return Cost(
        sum(c.seconds for c in costs),
        sum(c.n_bytes for c in costs),
        max((c.peak_mb for c in costs), default=0),
    )


def scaled(node: str, then: Cost, sizes_then: Mapping[str, float], now: Mapping[str, float]) -> Cost:
    """Return what a node takes at other sizes than those it was measured at.

    Peak memory is that of the process: what the node is given and what earlier nodes have left.
    """
    kind, stage = kind_of(node), node.partition(".")[0]
    default: tuple[Law | Sum, ...] = (
        ((), ()) if kind.startswith(_CONSTANT) else (("proteins",), ("proteins",))
    )
    time, disk = (_work(law, now) / _work(law, sizes_then) for law in _LAWS.get(kind, default))
    if stage in _LEAN_STAGES:
        more_mb = _MB_PER_PROTEIN * (now["proteins"] - sizes_then["proteins"])
    else:
        more_mb = _dense_mb(now) - _dense_mb(sizes_then)
    return Cost(then.seconds * time, then.n_bytes * disk, max(then.peak_mb + more_mb, 0), then.of_demo)


def _work(law: Law | Sum, sizes: Mapping[str, float]) -> float:
    """Return what the cost is proportional to."""
    parts = law if isinstance(law, dict) else {law: 1.0}
    return sum(weight * prod(sizes[name] for name in names) for names, weight in parts.items())


def _dense_mb(sizes: Mapping[str, float]) -> float:
    """Return the memory of pooled latents and of the stored activations, which are mapped as float16."""
    stored = 2e-6 * sizes["residues"] * sizes["d_model"]
    return stored + _MB_PER_PROTEIN_AND_LATENT * sizes["proteins"] * sizes["d_sae"]


class Foresight:
    """Foresees nodes from their own last run, else from their kind's here, else from the demo's figures.

    Args:
        now: sizes of the run that is planned; empty: unknown.
        folders: cache folders of the run. Those of the folder above are read too: `data/antibody` knows what
            the demo took in `data`.
        figures: content of `FIGURES`.
    """

    def __init__(self, now: Sizes, folders: Iterable[Path], figures: Mapping[str, Any] | None = None) -> None:
        self.now = now
        self.figures = read_json(FIGURES) if figures is None else figures
        self._here: dict[str, list[Record]] = {}
        for folder in {found for own in folders for found in (own, own.parents[1] / own.name)} if now else ():
            for record in filter(None, map(read_record, sorted(folder.glob("node-*.json")))):
                if record.sizes:
                    self._here.setdefault(kind_of(record.node), []).append(record)

    def cost(self, node: str, record: Record | None) -> Cost | None:
        """Return what a node is expected to take; None if nothing is known.

        Args:
            node: its name.
            record: its own last run.
        """
        if record is not None and not (record.sizes and self.now):
            return _measured(record)
        if not self.now:
            return None
        known = [record] if record else self._here.get(kind_of(node), [])
        if known:  # a node that kept a checkpoint or shards took little: the dearest one tells most
            costs = (scaled(node, _measured(found), found.sizes, self.now) for found in known)
            return max(costs, key=lambda found: found.seconds)
        demo = self.figures.get("nodes", {}).get(kind_of(node))
        if demo is None:
            return None
        seconds, n_bytes, peak_mb = demo
        return scaled(node, Cost(seconds, n_bytes, peak_mb, of_demo=True), self.figures["sizes"], self.now)


def _measured(record: Record) -> Cost:
    return Cost(record.seconds, record.bytes_written, record.peak_memory_mb)
