"""Kedro settings of the project."""

import warnings

from protsae.config_loader import ARGUMENTS, ProjectConfigLoader
from protsae.hooks import RunRecordHooks, VizHooks

HOOKS = (RunRecordHooks(), VizHooks())

CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = ARGUMENTS

# Warnings that users can do nothing about: Kedro's own call into omegaconf, Kedro-Viz's into FastAPI, and
# names of datasets that are namespaces on purpose (`protsae.encoding`, `topk.encoding`).
warnings.filterwarnings("ignore", message="register_new_resolver\\(\\) is deprecated")
warnings.filterwarnings("ignore", message="One or more dataset names contain '.' characters")
warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")
