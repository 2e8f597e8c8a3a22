"""Run in a project's folder: every pipeline, noting which functions each node and each plan executes.

Prints as JSON, for each, what it executed and does not count in its fingerprint.
"""

import functools
import inspect
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from protsae.caching import CachingRunner, runner
from protsae.caching.fingerprint import fingerprint
from protsae.core.code import Closure, CodeIndex

SOURCES = Path("src").absolute()
CODE = CodeIndex()
ACTIVE: list[set[CodeType]] = []
"""One set for each node or plan that is being executed."""
FOUND: dict[str, set[str]] = {}


def profile(frame: FrameType, event: str, _: Any) -> None:
    if event == "call":
        for codes in ACTIVE:
            codes.add(frame.f_code)


@contextmanager
def traced(name: str, closure: Callable[[], Closure]) -> Iterator[None]:
    executed: set[CodeType] = set()
    ACTIVE.append(executed)
    try:
        yield
    finally:
        ACTIVE.remove(executed)
    counted = closure().code.keys()
    FOUND.setdefault(name, set()).update(set(symbols(executed)) - counted)


def symbols(codes: set[CodeType]) -> Iterator[str]:
    """Yield `module:symbol`, or `module` for what no symbol is known of, of executed functions."""
    for code in codes:
        path = Path(code.co_filename)
        is_class_body = not code.co_flags & inspect.CO_OPTIMIZED
        is_ours = path.is_relative_to(SOURCES) and path.suffix == ".py"  # templates are compiled too
        if is_class_body or not is_ours or code.co_qualname.startswith("<"):
            continue
        module = ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__")
        symbol = code.co_qualname.partition(".")[0]
        yield f"{module}:{symbol}" if symbol in CODE._source(module).symbols else module


def trace_nodes() -> None:
    class TracedTask(runner.Task):
        def execute(self) -> Any:
            of_node = fingerprint(self.node, self.catalog, CODE).closure
            with traced(self.node.name, lambda: of_node):
                return super().execute()

    runner.Task = TracedTask


def trace_plan(name: str, plan_module: Any, user: Any, *functions: str) -> None:
    """Trace functions of the module that uses them, against what the plan's module counts as its code."""
    counted: list[Closure] = []
    real = plan_module.code_hash

    def code_hash(*items: Any, without: tuple[str, ...] = ()) -> str:
        names = [f"{item.__module__}:{item.__qualname__}" for item in items]
        counted.append(CODE.closure(names, without))
        return real(*items, without=without)

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with traced(name, lambda: counted[-1]):
                return function(*args, **kwargs)

        return wrapped

    plan_module.code_hash = code_hash
    for function in functions:
        setattr(user, function, wrap(getattr(user, function)))


def main() -> None:
    import protsae.activations.plan
    import protsae.activations.writer
    import protsae.pretraining.plan
    import protsae.sweeps.plan
    import protsae.training.fit
    import protsae.training.run

    trace_plan("shards", protsae.activations.plan, protsae.activations.writer, "compute_shard", "write_shard")
    fitters = ("fit_unguided", "fit_guided", "fit_splice")
    trace_plan("trainings", protsae.training.run, protsae.training.fit, *fitters)
    sweeps = protsae.sweeps.plan
    trace_plan("judging", sweeps, sweeps.SweepData, "dictionary", "references")
    trace_plan("pretraining", protsae.pretraining.plan, protsae.pretraining.plan, "_train")
    trace_nodes()
    threading.setprofile(profile)
    sys.setprofile(profile)
    project = Path.cwd()
    bootstrap_project(project)
    for pipeline in sys.argv[1:]:
        with KedroSession.create(project_path=project, env="test") as session:
            session.run(pipeline_names=[pipeline], runner=CachingRunner())
    sys.setprofile(None)
    Path("traced.json").write_text(json.dumps({name: sorted(missed) for name, missed in FOUND.items()}))


main()
