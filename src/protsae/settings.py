"""Kedro settings of the project."""

import warnings

from protsae.hooks import ParameterHooks, RunRecordHooks, VizHooks
from protsae.project_wiring import CONFIG_LOADER_ARGS

__all__ = ["CONFIG_LOADER_ARGS", "HOOKS"]

HOOKS = (ParameterHooks(), RunRecordHooks(), VizHooks())


# Nothing that the person at the keyboard could act on: Kedro's own call into omegaconf, and names of datasets
# that are namespaces on purpose (`protsae.encoding`, `topk.encoding`).
warnings.filterwarnings("ignore", message="register_new_resolver\\(\\) is deprecated")
warnings.filterwarnings("ignore", message="One or more dataset names contain '.' characters")
