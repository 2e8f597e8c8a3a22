"""Which dictionaries the running project has: what its configuration says, for the registry of pipelines.

Kedro registers pipelines without handing them the configuration. A hook sets it before they are loaded;
where no session has begun (`kedro registry list`), the project's files are read.
"""

import os
from pathlib import Path
from typing import Any

from kedro.framework.project import pipelines

from protsae.pipelines.wiring import Wiring

CONFIG_LOADER_ARGS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    # Environments override single keys of a block, not whole blocks.
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
"""Of Kedro's settings: how configuration is read."""
_DEFAULT = Wiring({"protsae": "protsae"})
_set: list[Wiring] = []


def use(wiring: Wiring) -> None:
    """Set what the registry builds from, and let Kedro build again if that is another one than before."""
    if _set[-1:] != [wiring]:
        _set[:] = [wiring]
        pipelines.configure("protsae.pipeline_registry")


def current() -> Wiring:
    """Return what was set, or what the configuration of the project around the working directory says."""
    return _set[0] if _set else _of_files()


def _of_files() -> Wiring:
    from kedro.config import OmegaConfigLoader
    from kedro.utils import find_kedro_project

    root = find_kedro_project(Path.cwd())
    if root is None or not (root / "conf/base").is_dir():
        return _DEFAULT
    environment = os.environ.get("KEDRO_ENV")
    loader = OmegaConfigLoader(conf_source=str(root / "conf"), env=environment, **CONFIG_LOADER_ARGS)
    return Wiring.of(loader["parameters"])
