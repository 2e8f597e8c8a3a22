"""Kedro settings of the project."""

import warnings

from protsae.hooks import ParameterHooks, RunRecordHooks, VizHooks

HOOKS = (ParameterHooks(), RunRecordHooks(), VizHooks())

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # Environments override single keys of a block, not whole blocks.
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}

# Nothing that the person at the keyboard could act on: Kedro's own call into omegaconf, and names of datasets
# that are namespaces on purpose (`protsae.encoding`, `topk.encoding`).
warnings.filterwarnings("ignore", message="register_new_resolver\\(\\) is deprecated")
warnings.filterwarnings("ignore", message="One or more dataset names contain '.' characters")
