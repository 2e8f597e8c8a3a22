"""What happens around every run: what it did is written after it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from protsae.core.errors import InputError

if TYPE_CHECKING:
    from protsae.caching.run_record import RunLog
    from protsae.caching.viz import VizMemory

Catalog = CatalogProtocol[Any, Any]


class RunRecordHooks:
    """Writes `run.json` after a run, also after one that failed."""

    _parameters: dict[str, Any]
    _log: "RunLog"

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the resolved parameters.

        Raises:
            InputError: Kedro cannot tell the project's path from a pattern of names.
        """
        if {"{", "}"} & set(str(context.project_path)):
            raise InputError(
                f"{context.project_path}: the project's path has braces, which Kedro takes for a pattern of "
                "names. Move or rename the folder"
            )
        self._parameters = context.config_loader["parameters"]

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Start the log of this run."""
        from protsae.caching.run_record import RunLog

        self._log = RunLog(project=Path(run_params["project_path"]), run_id=run_params["run_id"])

    @hook_impl
    def before_dataset_loaded(self, node: Node) -> None:
        """Note which node is at work: Kedro names it only for errors in its function, not in loading."""
        self._log.current = node.name

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Note which node is at work, also if it loads nothing."""
        self._log.current = node.name

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Note that a node's function has returned."""
        self._log.ran.add(node.name)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Catalog) -> None:
        """Write the record of a run that ended well."""
        from protsae.caching.run_record import write_run_record

        write_run_record(self._log, pipeline, catalog, self._parameters, request=run_params)

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: Catalog
    ) -> None:
        """Write the record of a run that did not, unless another run owns the data."""
        from protsae.caching.lock import DataLockedError
        from protsae.caching.run_record import write_run_record

        if not isinstance(error, DataLockedError):
            write_run_record(self._log, pipeline, catalog, self._parameters, request=run_params, error=error)


class VizHooks:
    """Keeps kedro-viz's picture of nodes that this run skipped."""

    _memory: "VizMemory"

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Read kedro-viz's files before its own hooks write them."""
        from protsae.caching.viz import VizMemory

        self._memory = VizMemory(Path(run_params["project_path"]))

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Complete them."""
        self._memory.complete()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """Complete them."""
        self._memory.complete()
