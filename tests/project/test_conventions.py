"""Conventions of the whole project, checked on the real configuration."""

import ast
import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.project import configure_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.validation import TypeExtractor

import protsae
from protsae.core.config import Config
from protsae.pipeline_registry import BY_NAME_ONLY, PIPELINES, own_pipelines, register_pipelines
from protsae.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).parents[2]
LAYERS = [
    *("raw", "intermediate", "primary", "feature"),
    *("model_input", "models", "model_output", "reporting"),
]
ENVIRONMENTS = sorted(
    path.name for path in (ROOT / "conf").iterdir() if path.is_dir() and path.name != "local"
)


@pytest.fixture(scope="module", autouse=True)
def project():
    configure_project("protsae")


@pytest.fixture(scope="module")
def pipelines():
    return register_pipelines()


@pytest.fixture(scope="module")
def everything(pipelines):
    return sum(pipelines.values(), Pipeline([]))


def load_config(environment: str) -> OmegaConfigLoader:
    return OmegaConfigLoader(
        conf_source=str(ROOT / "conf"),
        env=environment,
        **{**CONFIG_LOADER_ARGS, "default_run_env": environment},
    )


def floats_in(schema) -> Iterator[dict]:
    """Yield the floats of a field's schema, those of its items too, but not those of other models."""
    if isinstance(schema, dict):
        if schema.get("type") == "float":
            yield schema
        elif schema.get("type") != "model":
            for part in schema.values():
                yield from floats_in(part)
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from floats_in(part)


def config_models(base: type[Config] = Config) -> Iterator[type[Config]]:
    for model in base.__subclasses__():
        yield model
        yield from config_models(model)


def test_every_float_of_a_config_is_finite_and_has_bounds():
    for module in pkgutil.walk_packages(protsae.__path__, "protsae."):
        if not module.name.endswith(("__main__", "kernels.gpu")):
            importlib.import_module(module.name)
    n_floats = 0
    for model in (model for model in config_models() if model.__module__.startswith("protsae.")):
        assert model.model_config["allow_inf_nan"] is False, model
        for name, schema in fields_of(model).items():
            for found in floats_in(schema):
                n_floats += 1
                assert {"ge", "gt", "le", "lt"} & found.keys(), f"{model.__name__}.{name} has no bounds"
    assert n_floats > 100


def fields_of(model: type[Config]) -> dict[str, Any]:
    schema = model.__pydantic_core_schema__
    while schema["type"] != "model-fields":
        schema = schema["schema"]
    return schema["fields"]


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def catalog(request):
    config = load_config(request.param)
    return DataCatalog.from_config(dict(config["catalog"]))


def datasets_of(pipeline) -> set[str]:
    return {name for name in pipeline.datasets() if not name.startswith(("params:", "parameters"))}


def test_every_dataset_of_every_pipeline_is_declared_on_disk(catalog, everything):
    for name in sorted(datasets_of(everything)):
        assert not isinstance(catalog[name], MemoryDataset), name


def test_every_catalog_entry_is_used(everything):
    config = load_config("base")["catalog"]
    used = datasets_of(everything)
    catalog = DataCatalog.from_config(dict(config))
    for entry in config:
        if entry.startswith("_"):
            continue
        if "{" in entry:
            assert any(catalog.config_resolver.match_dataset_pattern(name) == entry for name in used), entry
        else:
            assert entry in used, entry


def test_every_dataset_has_a_layer_for_kedro_viz(catalog, everything):
    for name in sorted(datasets_of(everything)):
        metadata = catalog[name].metadata or {}
        assert metadata.get("kedro-viz", {}).get("layer"), name


def stages_of(everything) -> dict[str, list]:
    """Return the nodes of every namespace: a stage, or a dictionary in it."""
    found: dict[str, list] = {}
    for node in everything.nodes:
        for name in node.namespace_prefixes:
            found.setdefault(name, []).append(node)
    return found


def test_no_stage_goes_back_a_layer_so_that_kedro_viz_can_draw_them(catalog, everything):
    layer = {name: catalog[name].metadata["kedro-viz"]["layer"] for name in datasets_of(everything)}
    for stage, nodes in stages_of(everything).items():
        made = {output for node in nodes for output in node.outputs}
        needed = {name for node in nodes for name in node.inputs if name in layer} - made
        last = max((LAYERS.index(layer[name]) for name in needed), default=0)
        for name in made:
            assert LAYERS.index(layer[name]) >= last, f"{stage}: {name} is in layer {layer[name]}"


def test_every_path_lies_below_the_data_root(pipelines):
    for name, entry in load_config("base")["catalog"].items():
        if not name.startswith("_"):
            path = entry.get("filepath", entry.get("path"))
            assert path is None or path.startswith("data/"), name  # None: an input left out


def test_node_names_are_unique_and_equal_to_their_functions(everything):
    names = Counter(node.name for node in everything.nodes)
    assert [name for name, count in names.items() if count > 1] == []
    for node in everything.nodes:
        assert node.name.split(".")[-1] == node.func.__name__


def test_nodes_carry_their_pipeline_as_tag_and_can_be_pickled(everything):
    for node in everything.nodes:
        assert len(node.tags & set(PIPELINES)) == 1, node.name
        pickle.dumps(node)


def test_nodes_are_thin(everything):
    for node in everything.nodes:
        source = ast.parse(inspect.getsource(node.func).lstrip()).body[0]
        body = [s for s in source.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
        lines = body[-1].end_lineno - body[0].lineno + 1
        assert lines <= 30, f"{node.name}: {lines} lines"


def arguments_of(node) -> dict[str, str]:
    """Return argument name to dataset name."""
    wiring = node._inputs
    if isinstance(wiring, dict):
        return wiring
    return dict(
        zip(
            inspect.signature(node.func).parameters,
            [wiring] if isinstance(wiring, str) else wiring,
            strict=False,
        )
    )


def test_kedro_validates_every_parameter_typed_as_a_config(pipelines, everything):
    typed = TypeExtractor(pipelines).extract_types_from_pipelines()
    seen = 0
    for node in everything.nodes:
        parameters = inspect.signature(node.func).parameters
        for argument, dataset in arguments_of(node).items():
            annotation = parameters[argument].annotation if argument in parameters else None
            if inspect.isclass(annotation) and issubclass(annotation, Config):
                assert typed[dataset.removeprefix("params:")] is annotation, f"{node.name}: {dataset}"
                seen += 1
    assert seen >= len(PIPELINES)


def test_a_named_pipeline_is_its_nodes_and_all_their_ancestors(pipelines, everything):
    for name in PIPELINES:
        closed = pipelines[name]
        outputs = {output for node in closed.nodes for output in node.outputs}
        wanted = {i for node in closed.nodes for i in node.inputs if not i.startswith("params:")}
        produced = {output for node in everything.nodes for output in node.outputs}
        assert wanted & produced <= outputs, name


def pipelines_before(own: dict[str, Pipeline]) -> dict[str, set[str]]:
    """Return for each pipeline the others whose outputs it reads, through the catalog."""
    maker = {output: name for name, pipeline in own.items() for output in pipeline.all_outputs()}
    return {
        name: {maker[i] for i in pipeline.all_inputs() if i in maker} - {name}
        for name, pipeline in own.items()
    }


def test_the_pipelines_form_a_line():
    order = list(TopologicalSorter(pipelines_before(own_pipelines())).static_order())  # a cycle is an error
    assert sorted(order) == sorted(PIPELINES)


def test_pipelines_that_need_each_other_would_be_found():
    own = own_pipelines()
    annotation = own.pop("annotation") + own.pop("labelling")
    ingestion = own.pop("ingestion") + own.pop("splitting")
    with pytest.raises(CycleError):
        list(TopologicalSorter(pipelines_before({**own, "i": ingestion, "a": annotation})).static_order())


def test_a_plain_run_leaves_out_what_runs_by_name_only(pipelines):
    tags = {tag for node in pipelines["__default__"].nodes for tag in node.tags}
    assert tags == set(PIPELINES) - BY_NAME_ONLY
    assert {
        *("pretraining", "sweeps", "dynamics", "dense_ablation", "prediction", "steering", "attribution")
    } == BY_NAME_ONLY


def test_the_base_files_hold_at_most_eighty_settings():
    def settings(value: object) -> int:
        return sum(map(settings, value.values())) if isinstance(value, dict) and value else 1

    assert settings(load_config("base")["parameters"]) <= 80


def test_the_shell_starts_without_torch():
    code = (
        "import sys, protsae.pipeline_registry as r; r.register_pipelines();"
        "print([m for m in ('torch', 'esm', 'sklearn', 'plotly', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
