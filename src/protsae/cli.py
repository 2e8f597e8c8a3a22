"""The command line: Kedro's, with a `run` that skips what is up to date, and commands of its own.

Kedro silently falls back to its own `run` if this module cannot be imported, so it imports almost nothing.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from kedro.framework.cli.catalog import catalog
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.registry import registry
from kedro.framework.cli.utils import CONTEXT_SETTINGS
from kedro.utils import load_obj

from protsae.core.errors import InputError
from protsae.selection import read_params, resolve_names

# Kedro-Viz starts its server in a new process, which takes filters of warnings from the environment alone.
_VIZ_WARNING = "ignore:ORJSONResponse is deprecated"
if _VIZ_WARNING not in os.environ.get("PYTHONWARNINGS", ""):
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), _VIZ_WARNING]))

_RUNNER = "protsae.caching.CachingRunner"
_TRACEBACK = ("--traceback", "--verbose", "-v")
_HELP = "Show tracebacks of errors in the input."


@click.group(context_settings=CONTEXT_SETTINGS, name="kedro")
def cli() -> None:
    """Commands of this project."""


def _quiet(record: logging.LogRecord) -> bool:
    """Drop Kedro's log line of an error that is about to be shown."""
    from protsae.failures import explain

    return explain(sys.exc_info()[1]) is None


@contextmanager
def _explained() -> Iterator[None]:
    """Show an error of the block that `failures.explain` knows as its message, and exit with 1."""
    from protsae.failures import explain

    node_logger = logging.getLogger("kedro.pipeline.node")
    node_logger.addFilter(_quiet)
    try:
        yield
    except (click.exceptions.Exit, click.ClickException):
        raise
    except Exception as error:
        message = explain(error)
        if message is None:
            raise
        _print_error(message)
        raise click.exceptions.Exit(1) from error
    finally:
        node_logger.removeFilter(_quiet)


class _Command(click.Command):
    """Shows errors that a user can act on in a line; `--traceback` shows where they come from."""

    def __init__(self, name: str, **settings: Any) -> None:
        settings["params"] = [*settings["params"], click.Option(_TRACEBACK, is_flag=True, help=_HELP)]
        super().__init__(name, **settings)

    def make_context(self, info_name: str | None, args: list[str], *others: Any, **extra: Any) -> Any:
        """Parse the arguments."""
        if set(_TRACEBACK) & set(args):
            return super().make_context(info_name, args, *others, **extra)
        with _explained():
            return super().make_context(info_name, args, *others, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        if ctx.params.pop("traceback"):
            return super().invoke(ctx)
        with _explained():
            return super().invoke(ctx)


class _Group(click.Group):
    """A group of Kedro's whose commands show errors as `_Command` does."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run one of its commands."""
        if set(_TRACEBACK) & set(sys.argv):
            return super().invoke(ctx)
        with _explained():
            return super().invoke(ctx)


def _print_error(message: str) -> None:
    from rich.console import Console

    Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(message, style="bold red")


def _run(no_cache: bool, plan: bool, verify: bool, **arguments: Any) -> Any:
    wanted = {"no_cache": no_cache, "plan": plan, "verify": verify}
    if arguments["runner"] in {None, _RUNNER}:
        arguments["runner"] = _RUNNER
        given = {name: True for name, value in wanted.items() if value}
        arguments["runner_params"] = {**arguments["runner_params"], **given}
    elif any(wanted.values()):
        raise click.UsageError(
            f"--no-cache, --plan and --verify need the caching runner, not {arguments['runner']}"
        )
    else:
        try:
            load_obj(arguments["runner"], "kedro.runner")
        except (ImportError, AttributeError, ValueError) as error:
            raise click.UsageError(f"--runner {arguments['runner']}: {error}") from error
    arguments = resolve_names(arguments)
    try:
        return kedro_run.callback(**arguments)  # type: ignore[misc]
    except ValueError as error:
        if "Failed to find the pipeline named" not in str(error):
            raise
        from kedro.framework.project import pipelines

        from protsae.core.config import unknown_key_message

        name = str(error).split("'")[1]
        raise InputError(f"--pipelines: {unknown_key_message(name, pipelines, 'pipeline')}") from error


_PARAMS_HELP = "Settings for this run: training.k=8,labelling.vocabulary.aspects=[BPO,CCO]"

run = _Command(
    "run",
    callback=_run,
    help="Run what is not up to date: code, parameters, inputs, outputs and libraries against records.",
    params=[
        *(option for option in kedro_run.params if option.name != "params"),
        click.Option(["--params"], default="", callback=read_params, help=_PARAMS_HELP),
        click.Option(["--no-cache"], is_flag=True, help="Run every node."),
        click.Option(
            ["--plan"], is_flag=True, help="Show what would run, why and at what cost; run nothing."
        ),
        click.Option(["--verify"], is_flag=True, help="Hash every file again instead of trusting its times."),
    ],
)
cli.add_command(run)


def _clean_cache(env: str | None, dry_run: bool, yes: bool) -> None:
    from contextlib import ExitStack

    from kedro.framework.project import pipelines
    from kedro.framework.session import KedroSession

    from protsae.caching.cleanup import find_leftovers, remove
    from protsae.caching.locations import CACHE_FOLDER
    from protsae.caching.lock import exclusive
    from protsae.caching.report import disk

    with KedroSession.create(env=env) as session, ExitStack() as locks:
        catalog = session.load_context().catalog  # type: ignore[attr-defined]
        found = find_leftovers(pipelines, catalog)
        for root in sorted({leftover.root for leftover in found if not dry_run}):
            locks.enter_context(exclusive(root / CACHE_FOLDER))
        for leftover in found:
            click.echo(f"{disk(leftover.n_bytes):>10}  {leftover.path}  ({leftover.reason})")
        total = disk(sum(leftover.n_bytes for leftover in found))
        click.echo(f"{len(found)} files, {total}, that nothing refers to")
        if found and not dry_run and (yes or click.confirm("Remove them?")):
            remove(found)
            click.echo("removed")


clean_cache = _Command(
    "clean-cache",
    callback=_clean_cache,
    help="Remove what nothing refers to below the data root: raw data and linked folders are never touched.",
    params=[
        click.Option(["--env", "-e"], help="Environment whose data are cleaned."),
        click.Option(["--dry-run"], is_flag=True, help="List the files and stop."),
        click.Option(["--yes", "-y"], is_flag=True, help="Do not ask."),
    ],
)
cli.add_command(clean_cache)


def _number_chains(sequences: str, rearrangements: str, workers: int) -> None:
    from pathlib import Path

    from protsae.core.files import write_text_atomic
    from protsae.sequences.numbering import number_chains
    from protsae.sequences.records import RecordsConfig

    table, counts = number_chains(Path(sequences), RecordsConfig(), workers)
    write_text_atomic(Path(rearrangements), table.to_csv(sep="\t", index=False))
    click.echo(", ".join(f"{name.removeprefix('n_').replace('_', ' ')}: {n}" for name, n in counts.items()))


number = _Command(
    "number-chains",
    callback=_number_chains,
    help="Number antibodies or T-cell receptors of SEQUENCES and write them as AIRR table REARRANGEMENTS.",
    params=[
        click.Argument(["sequences"]),
        click.Argument(["rearrangements"]),
        click.Option(["--workers"], type=click.IntRange(min=1), default=1, help="Threads."),
    ],
)
cli.add_command(number)

for group in (catalog, registry):
    cli.add_command(_Group(name=group.name, commands=group.commands, help=group.help))
