"""The runner of `kedro run`: a node runs when something that it depends on differs from its record."""

from collections import Counter
from contextlib import ExitStack
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any

from kedro.runner import SequentialRunner
from kedro.runner.task import Task

from protsae.caching.decisions import Decider, Decision, Verdict
from protsae.caching.foresight import Foresight, kind_of
from protsae.caching.kedro_internals import Catalog, local_path, release_datasets, with_missing_outputs
from protsae.caching.lock import exclusive
from protsae.caching.measure import Measure
from protsae.caching.plan import plan, show_plan
from protsae.caching.report import PAGES, Report, duration
from protsae.caching.sizes import sizes
from protsae.core.errors import InputError

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node
    from pluggy import PluginManager


class CachingRunner(SequentialRunner):
    """Decides node by node, just before each: a node rebuilt to the same bytes reruns nothing after it.

    Args:
        is_async: load and save with threads, as in Kedro's runners.
        no_cache: run every node; the records are written all the same.
        plan: print what would happen, with the cost expected; run and write nothing.
        verify: hash every file again instead of trusting size, times and inode.
    """

    def __init__(
        self, is_async: bool = False, no_cache: bool = False, plan: bool = False, verify: bool = False
    ) -> None:
        super().__init__(is_async=is_async)
        self._no_cache = no_cache
        self._plan = plan
        self._verify = verify

    def __str__(self) -> str:
        """Name the base class too: kedro-viz records runs only of a runner that says it is sequential."""
        return f"<{type(self).__qualname__}, a kedro.runner.sequential_runner.SequentialRunner object>"

    def run(
        self,
        pipeline: "Pipeline",
        catalog: Catalog,
        hook_manager: "PluginManager | None" = None,
        run_id: str | None = None,
        only_missing_outputs: bool = False,
    ) -> dict[str, Any]:
        """Bring a pipeline up to date, or print the plan.

        Returns:
            Names of the pipeline's final outputs to their datasets; nothing for a plan.

        Raises:
            DataLockedError: another run works on the same data.
            InputError: a node has to run, and the data root cannot be written.
        """
        if not self._plan:
            return super().run(pipeline, catalog, hook_manager, run_id, only_missing_outputs)
        if only_missing_outputs:
            pipeline = with_missing_outputs(self, pipeline, catalog)
        for name in pipeline.datasets():
            catalog.get(name, fallback_to_runtime_pattern=True)
        decider = Decider(pipeline, catalog, self._verify)
        planned = plan(decider, pipeline, self._no_cache)
        ingestion = [d.verdict for name, d in planned if kind_of(name) == "parse_sequences"]
        ingested = all(verdict is Verdict.SKIP for verdict in ingestion)
        show_plan(planned, Foresight(sizes(catalog, ingested=ingested), decider.folders))
        # A plan is not a run: hooks that write what a run did (kedro-viz, run.json) must not hear of one.
        if hook_manager:
            for plugin in hook_manager.get_plugins():
                hook_manager.unregister(plugin)
        return {}

    def _run(
        self,
        pipeline: "Pipeline",
        catalog: Catalog,
        hook_manager: "PluginManager | None" = None,
        run_id: str | None = None,
    ) -> None:
        decider = Decider(pipeline, catalog, self._verify)
        with ExitStack() as locks:
            refusals = [locks.enter_context(exclusive(folder)) for folder in decider.folders]
            run = _Run(
                decider=decider,
                read_only=next(filter(None, refusals), None),
                pipeline=pipeline,
                catalog=catalog,
                is_async=self._is_async,
                hook_manager=hook_manager,
                run_id=run_id,
            )
            try:
                for node in pipeline.nodes:
                    run.visit(node, forced=self._no_cache)
            finally:
                decider.save_memory()
            run.summarise()


class _Run:
    """One walk through a pipeline."""

    def __init__(
        self,
        *,
        decider: Decider,
        read_only: str | None,
        pipeline: "Pipeline",
        catalog: Catalog,
        is_async: bool,
        hook_manager: "PluginManager | None",
        run_id: str | None,
    ) -> None:
        self._decider = decider
        self._read_only = read_only
        self._pipeline = pipeline
        self._catalog = catalog
        self._is_async = is_async
        self._hook_manager = hook_manager
        self._run_id = run_id
        self._uses = Counter(chain.from_iterable(node.inputs for node in pipeline.nodes))
        self._waiting: dict[str, Decision] = {}
        self._ran = 0
        self._skipped = 0
        self._saved_seconds = 0.0
        self._started = perf_counter()
        self._report = Report([node.name for node in pipeline.nodes])

    def visit(self, node: "Node", forced: bool) -> None:
        """Run, skip or set aside the next node."""
        decision = Decision(Verdict.RUN, "--no-cache") if forced else self._decider.decide(node)
        if decision.verdict is Verdict.RUN:
            self._execute(node, decision)
        elif decision.verdict is Verdict.WAIT:
            self._waiting[node.name] = decision
        else:
            self._report.line(node.name, decision)
            self._count_skip(decision)
            release_datasets(node, self._catalog, self._uses, self._pipeline)

    def summarise(self) -> None:
        """Print what was done and what was saved."""
        for node in self._pipeline.nodes:
            if decision := self._waiting.pop(node.name, None):
                self._report.line(node.name, Decision(Verdict.SKIP, "nothing needs it"))
                self._count_skip(decision)
        self._report.text(
            f"{self._ran} run, {self._skipped} skipped in {duration(perf_counter() - self._started)}; "
            f"the skipped ones took {duration(self._saved_seconds)} when they last ran"
        )
        for name in sorted(PAGES & self._pipeline.all_outputs()):
            if (path := local_path(self._catalog.get(name))) is not None:
                self._report.page(name, path)

    def _execute(self, node: "Node", decision: Decision) -> None:
        for maker in self._decider.memory_makers(node):
            if self._waiting.pop(maker.name, None):
                self._execute(maker, Decision(Verdict.RUN, f"{node.name} needs it in memory"))
        self._report.line(node.name, decision)
        if self._read_only:
            raise InputError(
                f"{node.name} has to run, but {self._read_only}. Make it writable, or copy it and set "
                "data_root"
            )
        self._decider.forget(node)
        try:
            with Measure() as measure:
                Task(node, self._catalog, self._is_async, self._hook_manager, self._run_id).execute()
        except Exception:
            self._report.text(f"{node.name} failed; the same command continues here once the cause is gone")
            raise
        self._decider.commit(node, measure, self._run_id)
        self._ran += 1
        release_datasets(node, self._catalog, self._uses, self._pipeline)

    def _count_skip(self, decision: Decision) -> None:
        self._skipped += 1
        self._saved_seconds += decision.record.seconds if decision.record else 0.0
