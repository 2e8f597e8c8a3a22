"""What files of configuration and the command line name: read as meant, or refused with the nearest name."""

import shutil
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from kedro.framework.cli import project
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project

from protsae import config_loader
from protsae.cli import cli
from protsae.config_checks import checked_catalog, checked_globals, expanded
from protsae.config_loader import ARGUMENTS, ProjectConfigLoader
from protsae.core.errors import InputError
from protsae.selection import read_params

CONF = Path(__file__).parents[2] / "conf"
FILE = "protsae.datasets.SourceFileDataset"
pytestmark = pytest.mark.filterwarnings("ignore:register_new_resolver", "ignore:One or more dataset names")


@pytest.fixture(autouse=True)
def _nothing_is_left(monkeypatch: pytest.MonkeyPatch):
    """Forget the dictionaries that these tests read: pipelines follow from them."""
    monkeypatch.setattr(config_loader, "_read", [])
    yield
    pipelines.configure("protsae.pipeline_registry")


def loader(folder: Path, env: str | None = None, **files: str) -> ProjectConfigLoader:
    """Return the loader of a copy of the project's configuration with these files in conf/local."""
    if not (folder / "base").is_dir():
        for name in ("base", "parquet"):
            shutil.copytree(CONF / name, folder / name)
        (folder / "local").mkdir()
    for name, text in files.items():
        (folder / "local" / f"{name}.yml").write_text(text)
    return ProjectConfigLoader(conf_source=str(folder), env=env, **ARGUMENTS)


@pytest.mark.parametrize("env", ["swissprot", "ray", "test", "parquet"])
def test_every_entry_of_the_projects_environments_is_used(env: str):
    assert ProjectConfigLoader(conf_source=str(CONF), env=env, **ARGUMENTS)["catalog"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"raw_annotation: {{type: {FILE}, filepath: x}}",
            "'raw_annotation' is no entry .*mean 'raw_annotations'",
        ),
        (f"raw-features: {{type: {FILE}, filepath: x}}", "did you mean 'raw_features'"),
        ("topk.sae_chekpoint: null", r"did you mean 'topk\.sae_checkpoint'"),
        (
            f"qqqqqqqq: {{type: {FILE}, filepath: x}}",
            r"'qqqqqqqq' is no entry .*; conf/base/catalog_\*\.yml have",
        ),
        ("plm_checkpoint: null", "'plm_checkpoint' is null, and cannot be left out"),
    ],
)
def test_entries_that_nothing_uses_are_refused_with_the_nearest(tmp_path: Path, text: str, message: str):
    with pytest.raises(InputError, match=message):
        loader(tmp_path, catalog=text)["catalog"]


def test_null_means_absent_and_a_tilde_the_home_folder(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/user")
    text = (
        "_mine: &mine {type: protsae.datasets.SourceFileDataset}\n"
        "raw_annotations: null\nraw_concept_tables: null\nraw_features:\n"
        "raw_sequences: {<<: *mine, filepath: ~/mine.fasta}\n"
        "raw_binding_sites:\n  type: protsae.datasets.SourceFilesDataset\n"
        "  files: {Zn: {filepath: ~/zn.txt}}\n"
    )
    catalog = loader(tmp_path, catalog=text, globals="data_root: ~/runs\n")["catalog"]
    assert catalog["raw_annotations"]["type"] == FILE
    assert catalog["raw_annotations"]["filepath"] is catalog["raw_features"]["filepath"] is None
    assert catalog["raw_concept_tables"]["files"] == {}
    assert catalog["raw_sequences"]["filepath"] == "/home/user/mine.fasta"
    assert catalog["raw_binding_sites"]["files"] == {"Zn": {"filepath": "/home/user/zn.txt"}}
    assert catalog["metrics"]["filepath"] == "/home/user/runs/08_reporting/metrics.csv"
    assert "raw_ontology" in catalog


def test_an_entry_without_type_changes_single_keys_of_base(tmp_path: Path):
    text = "raw_ontology: {filepath: null}\nraw_sequences: {filepath: mine.fasta}\n"
    catalog = loader(tmp_path, catalog=text)["catalog"]
    assert catalog["raw_ontology"]["filepath"] is None
    assert catalog["raw_sequences"]["type"] == catalog["raw_ontology"]["type"] == FILE
    assert catalog["raw_sequences"]["filepath"] == "mine.fasta"
    assert catalog["raw_sequences"]["metadata"]["purpose"].startswith("the proteins")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"globals": "data_rot: x"}, r"globals\.yml: data_rot: unknown key .*did you mean 'data_root'"),
        ({"globals": "raw_root: 3"}, r"globals\.yml: raw_root is 3, expected the path of a folder"),
        ({"globals": "data_root: ''"}, "data_root is '', expected the path"),
        ({"katalog": "x: 1"}, r"katalog\.yml: unknown configuration file .*did you mean 'catalog\.yml'"),
        ({"global": "data_root: x"}, r"did you mean 'globals\.yml'"),
        ({"params": "x: 1"}, r"params\.yml: unknown configuration file"),
    ],
)
def test_globals_and_files_that_nothing_reads_are_refused(
    tmp_path: Path, files: dict[str, str], message: str
):
    with pytest.raises(InputError, match=message):
        loader(tmp_path, **files)


def test_a_global_of_ones_own_is_fine_where_a_file_uses_it(tmp_path: Path):
    text = f"raw_sequences: {{type: {FILE}, filepath: '${{globals:mine}}/a.fasta'}}"
    found = loader(tmp_path, globals="mine: /data\n", catalog=text)["catalog"]
    assert found["raw_sequences"]["filepath"] == "/data/a.fasta"
    assert checked_globals({"mine": 1}, ["x: ${globals: mine}"]) == {"mine": 1}
    with pytest.raises(InputError, match="unknown key 'mine'"):
        checked_globals({"mine": 1}, ["x: ${globals:mine_too}"])


def test_an_unknown_environment_names_the_nearest(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"--env parket: unknown environment 'parket', did you mean 'parquet'"
    ):
        loader(tmp_path, env="parket")


def test_only_a_tilde_at_the_beginning_is_a_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/h")
    given = ["~", "~/a", "a~/b", "~user/x", 1, None]
    assert expanded(given) == ["/h", "/h/a", "a~/b", "~user/x", 1, None]
    assert checked_catalog({"{x}.a": {"filepath": "~/f"}}, {}, ["b.a"]) == {"{x}.a": {"filepath": "/h/f"}}


@pytest.mark.parametrize("given", ["{}", "null"])
def test_no_ablations_leave_none_of_base(tmp_path: Path, given: str):
    text = f"sweeps: {{sweep: {{members: [{{architecture: topk, k: 4}}], ablations: {given}}}}}"
    sweep = loader(tmp_path, parameters=text)["parameters"]["sweeps"]["sweep"]
    assert (sweep["ablations"], len(sweep["members"])) == ({}, 1)
    by_command = ProjectConfigLoader(
        conf_source=str(tmp_path), runtime_params={"sweeps": {"sweep": {"ablations": {}}}}, **ARGUMENTS
    )
    (tmp_path / "local/parameters.yml").unlink()
    assert by_command["parameters"]["sweeps"]["sweep"]["ablations"] == {}
    all_of_base = loader(tmp_path, parameters="sweeps: {sweep: {references: false}}")["parameters"]
    names = list(all_of_base["sweeps"]["sweep"]["ablations"])
    assert names
    one_less = loader(tmp_path, parameters=f"sweeps: {{sweep: {{ablations: {{{names[0]}: null}}}}}}")[
        "parameters"
    ]
    assert list(one_less["sweeps"]["sweep"]["ablations"]) == names[1:]


def read(text: str) -> Any:
    return read_params(click.Context(cli), cli.commands["run"].params[0], text)


def test_lists_and_mappings_are_values_of_the_command_line():
    assert read("labelling.vocabulary.aspects=[BPO, CCO],training.k=8,training.d_sae=null, a.b=x") == {
        "labelling": {"vocabulary": {"aspects": ["BPO", "CCO"]}},
        "training": {"k": 8, "d_sae": None},
        "a": {"b": "x"},
    }
    assert read("sweeps.sweep.members=[{architecture: topk, k: [2, 4]}]") == {
        "sweeps": {"sweep": {"members": [{"architecture": "topk", "k": [2, 4]}]}}
    }
    assert read("") == {}
    for wrong in ("training.k", "a=1,b", "=3", "a=[1,2"):
        with pytest.raises(click.UsageError, match="is not key=value"):
            read(wrong)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Kedro's own run was called with."""
    bootstrap_project(CONF.parent)
    seen: dict[str, Any] = {}
    monkeypatch.setattr(project.run, "callback", lambda **arguments: seen.update(arguments))
    return seen


def test_nodes_may_be_named_by_their_ends_and_as_printed(named: dict[str, Any]):
    for option, key in (
        ("--nodes", "node_names"),
        ("--from-nodes", "from_nodes"),
        ("--to-nodes", "to_nodes"),
    ):
        result = CliRunner().invoke(
            cli, ["run", option, "parse_sequences,splitting.assign_splits,topk.encode_proteins"]
        )
        assert result.exit_code == 0, result.output
        assert named[key] == [
            "ingestion.parse_sequences",
            "splitting.assign_splits",
            "encoding.topk.encode_proteins",
        ]
    CliRunner().invoke(cli, ["run", "--nodes", "encode_proteins"])
    assert named["node_names"] == ["encoding.protsae.encode_proteins", "encoding.topk.encode_proteins"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--nodes", "parse_sequencs"],
            "--nodes parse_sequencs: unknown node 'parse_sequencs', did you mean 'parse_se",
        ),
        (["--from-nodes", "ingestion.parse_sequence"], "did you mean 'ingestion.parse_sequences'?"),
        (["--to-nodes", "zzz"], "--to-nodes zzz: unknown node 'zzz', known nodes: "),
        (
            ["--from-inputs", "raw_sequence"],
            "--from-inputs raw_sequence: unknown dataset 'raw_sequence', did you",
        ),
        (["--tags", "probin"], "--tags probin: unknown tag 'probin', did you mean 'probing'?"),
        (["--namespaces", "topkk"], "unknown namespace 'topkk', did you mean 'topk'?"),
        (["--namespaces", "topk", "--pipelines", "ingestion"], "--namespaces topk: unknown namespace 'topk'"),
        (["--env", "swisprot"], "--env swisprot: unknown environment 'swisprot', did you mean 'swissprot'?"),
    ],
)
def test_unknown_names_are_one_line_with_the_nearest(
    named: dict[str, Any], arguments: list[str], message: str
):
    if "--env" in arguments:
        arguments = [*arguments, "--nodes", "parse_sequences"]
    result = CliRunner().invoke(cli, ["run", *arguments])
    assert result.exit_code == 1 and not named
    assert message in result.output and len(result.output.splitlines()) == 1
