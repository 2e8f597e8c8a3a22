"""The `run` command: options reach the runner, and errors of the user's making come without a traceback."""

import logging
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result
from kedro.framework.cli import project
from kedro.io import DatasetError
from tests.sequences.test_numbering import VH

from protsae import __main__
from protsae.cli import cli, run
from protsae.core.errors import InputError


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Kedro's own run was called with; `outcome['raise']` is what it raises."""
    seen: dict[str, Any] = {}

    def callback(**arguments: Any) -> None:
        seen.update(arguments)
        if error := seen.get("raise"):
            try:
                raise error
            except Exception as raised:
                logging.getLogger("kedro.pipeline.node").error("Node failed: %s", raised)
                raise

    monkeypatch.setattr(project.run, "callback", callback)
    return seen


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["run", *arguments])


def test_caching_runner_is_the_default_and_gets_its_options(outcome):
    assert invoke().exit_code == 0
    assert outcome["runner"] == "protsae.caching.CachingRunner" and outcome["runner_params"] == {}
    assert invoke("--plan", "--no-cache", "--verify", "--runner-params", "is_async=True").exit_code == 0
    assert outcome["runner_params"] == {"is_async": True, "plan": True, "no_cache": True, "verify": True}


def test_both_spellings_of_the_pipeline_option_reach_kedro(outcome):
    invoke("--pipelines", "probing,training")
    assert outcome["pipelines"] == ["probing", "training"]
    invoke("--pipeline", "probing")
    assert outcome["pipeline"] == "probing"


def test_another_runner_bypasses_the_cache_and_refuses_its_options(outcome):
    invoke("--runner", "ThreadRunner")
    assert outcome["runner"] == "ThreadRunner"
    refused = invoke("--runner", "ThreadRunner", "--plan")
    assert refused.exit_code == 2 and "ThreadRunner" in refused.output


def wrapped() -> DatasetError:
    error = DatasetError("Failed while loading data from dataset")
    error.__cause__ = InputError("proteins.fasta line 3: '*' inside a sequence")
    return error


@pytest.mark.parametrize("error", [InputError("proteins.fasta line 3: '*' inside a sequence"), wrapped()])
def test_input_error_is_shown_once_without_a_traceback(outcome, caplog, error):
    outcome["raise"] = error
    result = invoke()
    assert result.exit_code == 1
    assert result.output.strip() == "proteins.fasta line 3: '*' inside a sequence"
    assert caplog.records == []


@pytest.mark.parametrize("option", ["--traceback", "--verbose", "-v"])
def test_the_traceback_is_shown_if_asked_for(outcome, caplog, option):
    outcome["raise"] = InputError("bad")
    assert isinstance(invoke(option).exception, InputError)
    assert [record.getMessage() for record in caplog.records] == ["Node failed: bad"]


def test_other_errors_keep_their_traceback(outcome, caplog):
    outcome["raise"] = RuntimeError("a bug")
    assert isinstance(invoke().exception, RuntimeError)
    assert [record.getMessage() for record in caplog.records] == ["Node failed: a bug"]


@pytest.mark.parametrize(
    "arguments", [("--params", "training.k=["), ("--runner", "Nope"), ("--runner", "a.B")]
)
def test_faulty_arguments_come_without_a_traceback(outcome, arguments):
    result = invoke(*arguments)
    assert result.exit_code in {1, 2} and isinstance(result.exception, SystemExit)
    assert outcome == {}


@pytest.mark.parametrize("command", [["registry", "list"], ["catalog", "list-patterns"]])
def test_kedros_own_commands_show_input_errors_in_a_line(monkeypatch, command):
    def refuse() -> None:
        raise InputError("parameters: training.kk: unknown key 'kk'")

    group = cli.commands[command[0]]
    monkeypatch.setattr(group.commands[command[1]], "callback", refuse)
    monkeypatch.setattr(group.commands[command[1]], "params", [])
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 1 and result.output.strip() == "parameters: training.kk: unknown key 'kk'"


def test_packaged_entry_point_is_the_same_run(outcome, monkeypatch):
    monkeypatch.setattr(__main__, "configure_project", lambda name: outcome.update(package=name))
    with pytest.raises(SystemExit) as ended:
        __main__.main(["--no-cache"])
    assert ended.value.code == 0
    assert outcome["package"] == "protsae" and outcome["runner_params"] == {"no_cache": True}
    assert run.name == "run"


def test_chains_are_numbered_from_the_command_line(tmp_path):
    pytest.importorskip("anarcism")
    fasta, table = tmp_path / "x.fasta", tmp_path / "x.tsv"
    fasta.write_text(f">h\n{VH}\n>other\n{'M' * 90}\n")
    result = CliRunner().invoke(cli, ["number-chains", str(fasta), str(table)])
    assert result.output.splitlines()[-1] == "sequences: 2, without domain: 1, with several domains: 0"
    assert table.read_text().splitlines()[1].split("\t")[:3] == ["h", VH, "IGH"]
    refused = CliRunner().invoke(cli, ["number-chains", str(tmp_path / "no"), str(table)])
    assert refused.exit_code == 1 and "no such file" in refused.output


def test_processes_of_kedro_viz_do_not_warn_of_what_nobody_can_change():
    code = "import warnings; warnings.warn('ORJSONResponse is deprecated, and more'); warnings.warn('mine')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "mine" in done.stderr and "ORJSONResponse" not in done.stderr
