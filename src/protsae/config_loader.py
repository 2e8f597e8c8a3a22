"""How the project's configuration is read: every parameter checked and completed, whoever asks.

Kedro registers pipelines without handing them the configuration, and kedro-viz runs no hooks. So the loader
itself completes parameters, and keeps the list of dictionaries for the registry of pipelines.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.project import pipelines
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from protsae.config_checks import check_environment, checked_catalog, checked_globals
from protsae.core.errors import InputError
from protsae.failures import one_line
from protsae.parameters import complete_parameters
from protsae.pipelines.wiring import Wiring

ARGUMENTS: dict[str, Any] = {
    "base_env": "base",
    "default_run_env": "local",
    # Environments override single keys of a block, not whole blocks.
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
_MANY, _MAX_DEPTH = 2000, 100
"""Brackets and dashes from which a file's depth is counted, and the depth that is refused."""
_read: list[Wiring] = []


class ProjectConfigLoader(OmegaConfigLoader):
    """Kedro's loader; its parameters, `--params` merged in, have a value for every setting.

    Entries of the catalog and of globals that nothing uses are refused, see `config_checks`.
    """

    def __init__(self, conf_source: str | Path, env: str | None = None, **arguments: Any) -> None:
        """Check that the environment is there, then read globals.

        Raises:
            InputError: an unknown environment, or a file in it that nothing would read.
        """
        folder = Path(conf_source)
        if folder.is_dir():
            for name in filter(None, (arguments.get("base_env"), env or arguments.get("default_run_env"))):
                check_environment(folder / name)
        super().__init__(conf_source, env, **arguments)

    def __getitem__(self, key: str) -> Any:
        """Return a part of the configuration.

        Raises:
            InputError: listing all that is wrong with the parameters; or a global or an entry of the catalog
                that nothing uses.
        """
        if key in self or key not in {"parameters", "globals", "catalog"}:
            return self._read(key)
        if key == "globals":
            self[key] = checked_globals(self._read(key), self._texts())
            return self._read(key)
        if key == "catalog":
            return self._catalog()
        parameters = _without_ablations(self._read(key), self.runtime_params or {})
        parameters = complete_parameters(parameters)
        self[key] = parameters
        _keep(Wiring.of(parameters))
        return parameters

    @staticmethod
    def _soft_merge(config: dict[str, Any], env_config: dict[str, Any], env_path: str | None = None) -> Any:
        """Merge as Kedro does; no ablations in an environment (`{}` or null) leave none of base's."""
        return _without_ablations(OmegaConfigLoader._soft_merge(config, env_config, env_path), env_config)

    def _texts(self) -> list[str]:
        """Return the text of all configuration files."""
        return [path.read_text("utf-8", "replace") for path in self._files() if path.is_file()]

    def _catalog(self) -> dict[str, Any]:
        """Return the entries that pipelines use, those that are null as absent."""
        from protsae.pipelines.assembly import assemble

        listed = Wiring.of(self["parameters"]).architectures
        used: set[str] = set()
        for source in ("extraction", "parquet"):  # and whatever only a guided dictionary reads
            there = assemble(Wiring({"guided": "protsae", **listed}, source)).values()
            used.update(*(pipeline.datasets() for pipeline in there))
        entries = self._read("catalog")
        base = {}
        if any(not isinstance(entry, dict) or "type" not in entry for entry in entries.values()):
            only_base = {**ARGUMENTS, "default_run_env": ARGUMENTS["base_env"]}
            base = OmegaConfigLoader(self.conf_source, runtime_params=self.runtime_params, **only_base)[
                "catalog"
            ]
        return checked_catalog(entries, base, used)

    def _read(self, key: str) -> Any:
        """Return a part of the configuration as Kedro reads it; faults of its files are named by file."""
        for path in self._files():
            _refuse_deep(path)
        try:
            return super().__getitem__(key)
        except (InputError, KeyError, MissingConfigException):
            raise
        except Exception as error:
            raise InputError(self._fault() or f"configuration of {key}: {one_line(str(error))}") from error

    def _fault(self) -> str | None:
        """Return what is wrong with the first file that cannot be read alone."""
        for path in self._files():
            try:
                content = OmegaConf.load(path)
            except (OSError, ValueError, RecursionError, YAMLError, OmegaConfBaseException) as error:
                return f"{path}: {one_line(str(error))}"
            if not isinstance(content, DictConfig):
                return f"{path}: holds no names with values, such as `seed: 0`"
        return None

    def _files(self) -> list[Path]:
        folders = (self.base_env, self.env or self.default_run_env)
        return [path for name in folders for path in sorted(Path(self.conf_source, name).rglob("*.y*ml"))]


def _refuse_deep(path: Path) -> None:
    """Refuse a file whose values are nested too deeply: libyaml would end the process without a word."""
    text = path.read_bytes() if path.is_file() else b""
    if sum(map(text.count, (b"[", b"{", b"- ", b"? "))) < _MANY:
        return
    depth = 0
    with suppress(YAMLError, UnicodeDecodeError):  # said when the file is read
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                raise InputError(f"{path}: line {event.start_mark.line + 1} is nested over {_MAX_DEPTH} deep")


def _without_ablations(merged: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return merged parameters without ablations if what was merged last gives `{}` or null for them."""
    sweeps = given.get("sweeps")
    sweep = sweeps.get("sweep") if isinstance(sweeps, dict) else None
    if isinstance(sweep, dict) and "ablations" in sweep and not sweep["ablations"]:
        merged["sweeps"]["sweep"]["ablations"] = {}
    return merged


def wiring() -> Wiring:
    """Return the dictionaries of the configuration that was read last in this process; where none was, of the
    project around the working directory."""
    if not _read:
        from kedro.utils import find_kedro_project

        root = find_kedro_project(Path.cwd()) or Path(__file__).parents[2]
        environment = os.environ.get("KEDRO_ENV")
        loader = ProjectConfigLoader(conf_source=str(root / "conf"), env=environment, **ARGUMENTS)
        return Wiring.of(loader["parameters"])
    return _read[0]


def _keep(found: Wiring) -> None:
    """Keep what was read, and let Kedro build the pipelines again if it is another list than before."""
    if _read != [found]:
        _read[:] = [found]
        pipelines.configure("protsae.pipeline_registry")
