"""The command line: Kedro's, with a `run` that skips what is up to date, and `clean-cache`.

Kedro silently falls back to its own `run` if this module cannot be imported, so it imports almost nothing.
"""

import logging
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS

from protsae.core.errors import InputError
from protsae.selection import read_params, resolve_names

_RUNNER = "protsae.caching.CachingRunner"


@click.group(context_settings=CONTEXT_SETTINGS, name="kedro")
def cli() -> None:
    """Commands of this project."""


def _input_error(error: BaseException | None) -> InputError | None:
    """Return the `InputError` at or below `error`, if there is one: Kedro wraps what datasets raise."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__
    return error


def _quiet(record: logging.LogRecord) -> bool:
    """Drop Kedro's log line of an error that is about to be shown."""
    return _input_error(sys.exc_info()[1]) is None


def _without_traceback(command: Callable[..., Any]) -> Callable[..., Any]:
    """Show an `InputError` as its message and exit with 1; `--verbose` shows where it comes from."""

    @wraps(command)
    def shown(*args: Any, verbose: bool = False, **kwargs: Any) -> Any:
        if verbose:
            return command(*args, **kwargs)
        node_logger = logging.getLogger("kedro.pipeline.node")
        node_logger.addFilter(_quiet)
        try:
            return command(*args, **kwargs)
        except Exception as error:
            cause = _input_error(error)
            if cause is None:
                raise
            _print_error(str(cause))
            raise click.exceptions.Exit(1) from error
        finally:
            node_logger.removeFilter(_quiet)

    return shown


def _print_error(message: str) -> None:
    from rich.console import Console

    Console(stderr=True, markup=False, highlight=False, soft_wrap=True).print(message, style="bold red")


@_without_traceback
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
    arguments = resolve_names(arguments)
    try:
        return kedro_run.callback(**arguments)  # type: ignore[misc]
    except ValueError as error:
        if "Failed to find the pipeline named" not in str(error):
            raise
        from kedro.framework.project import pipelines

        known = ", ".join(sorted(pipelines))
        raise InputError(f"{str(error).partition('. ')[0]}. There are: {known}") from error


_PARAMS_HELP = "Settings for this run: training.k=8,labelling.vocabulary.aspects=[BPO,CCO]"
_VERBOSE = click.Option(["--verbose", "-v"], is_flag=True, help="Show tracebacks of errors in the input.")

run = click.Command(
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
        _VERBOSE,
    ],
)
cli.add_command(run)


@_without_traceback
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


clean_cache = click.Command(
    "clean-cache",
    callback=_clean_cache,
    help="Remove what nothing refers to below the data root: raw data and linked folders are never touched.",
    params=[
        click.Option(["--env", "-e"], help="Environment whose data are cleaned."),
        click.Option(["--dry-run"], is_flag=True, help="List the files and stop."),
        click.Option(["--yes", "-y"], is_flag=True, help="Do not ask."),
        _VERBOSE,
    ],
)
cli.add_command(clean_cache)
