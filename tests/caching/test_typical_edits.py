"""What typical edits run again: the table in docs/caching.md, row by row, on a copy of the sources."""

import importlib.util
import re
import shutil
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NamedTuple

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.project import configure_project
from kedro.io import DataCatalog

from protsae.activations import plan as extraction
from protsae.caching.fingerprint import _dataset_entries, _unwrap
from protsae.core import code
from protsae.core.code import Closure, CodeIndex, entry
from protsae.pipeline_registry import own_pipelines
from protsae.pretraining import plan as pretraining
from protsae.sae.registry import ARCHITECTURES
from protsae.settings import CONFIG_LOADER_ARGS
from protsae.sweeps import plan as sweeps
from protsae.training import run as training

ROOT = Path(__file__).parents[2]
TRAININGS = {f"{name} training" for name in ARCHITECTURES}
GUIDED = {"protsae training", "splice training"}
PLANS = {"shards", "members judged", "pretraining", *TRAININGS}


class Edit(NamedTuple):
    """One row of the table."""

    file: str
    old: str
    new: str
    nodes: set[str]
    """Patterns of the nodes that run for certain. Those after them run if the bytes between them change."""
    plans: set[str]
    """What is made again inside nodes: shards, trainings, members that are judged."""


OTHER_PROTEINS = {
    *("prediction.plan_prediction", "steering.steer_proteins", "attribution.attribute_proteins"),
}
LOADING = {
    *("alignment.align_baselines", "dynamics.*.measure_*", "encoding.*.encode_proteins"),
    *("cards.*.compare_directions", "cards.*.measure_effects", "cards.*.describe_tables", "dense_ablation.*"),
    *("fidelity.*.splice_dictionary", "probing.*.evaluate_dictionary", "probing.*.score_dictionary"),
    *("probing.*.measure_subsumption", "reporting.render_report", "training.*"),
    *("probing.*.describe_scorers", "release.*", "explorer.build_explorer", *OTHER_PROTEINS),
}
"""Nodes that are given a checkpoint, or make one."""
TRAINING = {"alignment.align_baselines", "training.*.plan_*"}
SCORING = {
    *("probing.evaluate_*", "probing.*.evaluate_dictionary", "probing.score_*", "probing.*.score_dict*"),
    *("probing.gate_linear_probe", "probing.list_twins", "missing_annotations.*"),
    "probing.*.describe_scorers",
}
"""Nodes that use the judge, whose class counts whole."""
SWEEP = {"sweeps.plan_sweep"}

EDITS: dict[str, Edit] = {
    "a docstring in `activations/reader.py`": Edit("activations/reader.py", '"""', '"""Now: ', set(), set()),
    "`numpy_generator` in `core/seeding.py`, which draws residues": Edit(
        "core/seeding.py",
        "default_rng(derive_seed(seed, *purpose))",
        "default_rng(derive_seed(seed, *purpose) + 1)",
        {
            *("alignment.align_baselines", "alignment.*.align_dictionary", "disentanglement.*.measure_ab*"),
            *("disentanglement.*.measure_mono*", "disentanglement.measure_neurons", "dynamics.*.measure_*"),
            *("cards.*.enrich_latents", "cards.*.join_cards", "dense_ablation.*"),
            *(
                "encoding.*.encode_proteins",
                "fidelity.*.judge_fidelity",
                "interpretation.*.interpret_latents",
            ),
            *("explanation.*.explain_by_rules", "explanation.*.ask_for_*"),
            *("fidelity.choose_fidelity_sequences", "extraction.extract_activations", "pretraining.*"),
            "steering.tabulate_designs",
            *("probing.*.measure_subsumption", "probing.*.score_residues", *SCORING, *TRAINING, *SWEEP),
            *OTHER_PROTEINS,
        },
        PLANS,
    ),
    "`_f` in `metrics/cafa.py`": Edit(
        "metrics/cafa.py",
        "2 * precision * recall",
        "3 * precision * recall",
        {*SCORING, *SWEEP},
        {"members judged"},
    ),
    "`label_matrix` in `annotations/labels.py`": Edit(
        "annotations/labels.py",
        "labels = np.zeros((len(wanted), len(concepts))",
        "labels = np.ones((len(wanted), len(concepts))",
        {
            *("alignment.align_baselines", "alignment.*.align_dictionary", "disentanglement.*.measure_ab*"),
            *("dynamics.*.measure_*", "interpretation.*.interpret_latents", "probing.*.score_residues"),
            *("explanation.*.explain_by_rules", "explanation.*.ask_for_*"),
            *(*SCORING, *TRAINING, *SWEEP, "steering.tabulate_designs"),
        },
        {"members judged", *GUIDED},
    ),
    "a method of `sae/topk.py`": Edit(
        "sae/topk.py",
        "(self, ",
        "(self, *",
        {*LOADING, *SWEEP},
        {f"{name} training" for name in ("topk", "ordered", "frozen_decoder", "frozen_encoder")},
    ),
    "a method of `sae/gated.py`": Edit(
        "sae/gated.py",
        "(self, ",
        "(self, *",
        {*LOADING, *SWEEP},
        {"gated training"},
    ),
    "a method of `sae/protsae.py`": Edit(
        "sae/protsae.py",
        "(self, ",
        "(self, *",
        {*LOADING, *SWEEP},
        {"protsae training", "members judged"},
    ),
    "`Trainer` in `training/trainer.py`": Edit(
        "training/trainer.py", '["lr"] = rate *', '["lr"] = 2 * rate *', {*TRAINING, *SWEEP}, TRAININGS
    ),
    "`Esm2Forward` in `plm/forward.py`": Edit(
        "plm/forward.py",
        "class Esm2Forward",
        "class Esm2Forward(object)",
        {
            *("alignment.align_baselines", "extraction.extract_activations", "fidelity.measure_ablations"),
            *("fidelity.*.splice_dictionary", "probing.pool_random_plm", "cards.*.measure_effects"),
            *("dense_ablation.*", *OTHER_PROTEINS),
        },
        {"shards"},
    ),
    "`shuffle_labels` in `probing/shuffles.py`, a floor": Edit(
        "probing/shuffles.py",
        "permutation(len(of.protein_ids))",
        "permutation(1 * len(of.protein_ids))",
        {*SCORING, *SWEEP},
        {"members judged"},
    ),
    "one function of `pipelines/probing/nodes.py`": Edit(
        "pipelines/probing/nodes.py",
        'kept = extraction_sequences[~extraction_sequences["is_excluded"]]',
        'kept = extraction_sequences[~extraction_sequences["is_excluded"]].copy()',
        {"probing.pool_random_plm"},
        set(),
    ),
    "the reader of FASTA, `sequences/fasta.py`": Edit(
        "sequences/fasta.py",
        'text.startswith(">")',
        'text.startswith(">>")',
        {"ingestion.parse_sequences", *OTHER_PROTEINS},
        set(),
    ),
    "the report's template": Edit(
        "reporting/templates/report.html.j2",
        "<",
        "< ",
        {"reporting.render_report", "explorer.build_explorer"},
        set(),
    ),
    "`atomic_path` in `core/files.py`": Edit(
        "core/files.py",
        "    target = Path(path)",
        "    target = Path(str(path))",
        {
            *("disentanglement.read_judge_embeddings", "extraction.extract_activations", "pretraining.*"),
            *("extraction.report_extraction", "fidelity.choose_fidelity_sequences", "fidelity.measure_*"),
            *("extraction.pool_activations", "explanation.*.ask_for_*"),
            *("probing.gate_linear_probe", "probing.pool_*", "probing.score_references", *LOADING, *SWEEP),
        },
        PLANS,
    ),
}


class Project:
    """A copy of the sources, and what every node and plan depends on there."""

    def __init__(self, sources: Path, entries: dict[str, tuple[list[str], tuple[str, ...]]]) -> None:
        self._sources = sources
        self._entries = entries
        self._memory: dict[str, object] = {}
        self.before = self.closures()

    def closures(self) -> dict[str, Closure]:
        index = CodeIndex(self._memory)
        found = {name: index.closure(*arguments) for name, arguments in self._entries.items()}
        self._memory = index.remembered()
        return found

    def changed(self, file: str, old: str, new: str) -> set[str]:
        """Return what an edit of a file runs again."""
        path = self._sources / file
        text = path.read_text()
        assert old in text, f"{file} does not say {old!r} any more"
        path.write_text(text.replace(old, new, 1))
        try:
            after = self.closures()
        finally:
            path.write_text(text)
        return {
            name
            for name, closure in self.before.items()
            if (closure.code, closure.data_files) != (after[name].code, after[name].data_files)
        }


def node_entries() -> dict[str, list[str]]:
    configure_project("protsae")
    config = OmegaConfigLoader(
        str(ROOT / "conf"), env="base", **{**CONFIG_LOADER_ARGS, "default_run_env": "base"}
    )
    catalog = DataCatalog.from_config(dict(config["catalog"]))
    found = {}
    for pipeline in own_pipelines().values():
        for node in pipeline.nodes:
            for name in (*node.inputs, *node.outputs):
                catalog.get(name, fallback_to_runtime_pattern=True)
            function, _ = _unwrap(node.func)
            found[node.name] = [entry(function), *_dataset_entries(node, catalog, function.__module__)]
    return found


def plan_entries(patch: pytest.MonkeyPatch) -> dict[str, tuple[list[str], tuple[str, ...]]]:
    """Return what the plans' fingerprints name as their code."""
    named: list[tuple[list[str], tuple[str, ...]]] = []

    def code_hash(*items: Callable[..., object], without: tuple[str, ...] = ()) -> str:
        named.append((list(map(entry, items)), without))
        return ""

    for module in (extraction, training, sweeps, pretraining):
        patch.setattr(module, "code_hash", code_hash)
    extraction.shard_code_hash()
    sweeps.judging_code_hash()
    pretraining.pretraining_code_hash()
    for name in ARCHITECTURES:
        training.training_code_hash(name, warm=False)
    names = ["shards", "members judged", "pretraining", *(f"{name} training" for name in ARCHITECTURES)]
    return dict(zip(names, named, strict=True))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    sources = tmp_path_factory.mktemp("copy") / "protsae"
    shutil.copytree(ROOT / "src/protsae", sources, ignore=shutil.ignore_patterns("__pycache__"))
    spec = ModuleSpec("protsae", None, is_package=True)
    spec.submodule_search_locations = [str(sources)]
    with pytest.MonkeyPatch.context() as patch:
        entries = plan_entries(patch) | {name: (found, ()) for name, found in node_entries().items()}
        real = importlib.util.find_spec
        patch.setattr(
            code.importlib.util,
            "find_spec",
            lambda name, *more: spec if name == "protsae" else real(name, *more),
        )
        yield Project(sources, entries)


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_edit_runs_exactly_what_depends_on_it(project, edit):
    changed = project.changed(edit.file, edit.old, edit.new)
    expected = {name for name in project.before if any(fnmatch(name, pattern) for pattern in edit.nodes)}
    unmatched = [p for p in edit.nodes if not any(fnmatch(name, p) for name in project.before)]
    assert not unmatched
    assert changed & PLANS == edit.plans
    assert sorted(changed - PLANS) == sorted(expected)


def test_every_row_of_the_documentation_is_tested():
    text = (ROOT / "docs/caching.md").read_text(encoding="utf-8")
    table = text.partition("## What typical edits rerun")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| ", table, flags=re.MULTILINE)
    assert rows[2:] == list(EDITS)
