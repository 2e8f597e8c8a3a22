"""What a run names on the command line: nodes, tags, namespaces and parameters, as people type them."""

from collections.abc import Collection, Mapping
from typing import Any

import click

from protsae.core.errors import InputError

_OPTIONS = {
    "node_names": ("--nodes", "node"),
    "from_nodes": ("--from-nodes", "node"),
    "to_nodes": ("--to-nodes", "node"),
    "from_inputs": ("--from-inputs", "dataset"),
    "to_outputs": ("--to-outputs", "dataset"),
    "tags": ("--tags", "tag"),
    "namespaces": ("--namespaces", "namespace"),
}
"""Argument of Kedro's `run` to its option and what it names."""


def resolve_names(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a run with every name as Kedro knows it.

    A node may be named by its function alone (`parse_sequences`), or by its end (`topk.encode_proteins`); a
    namespace by the dictionary, which then means its nodes in every stage.

    Raises:
        InputError: a name that there is not, with the nearest.
    """
    given = {name: arguments[name] for name in _OPTIONS if arguments.get(name)}
    if not given:
        return dict(arguments)
    from kedro.framework.project import pipelines
    from kedro.framework.session import KedroSession

    env, conf_source, params = (arguments.get(name) for name in ("env", "conf_source", "params"))
    with KedroSession.create(env=env, conf_source=conf_source, runtime_params=params) as session:
        session.load_context()  # type: ignore[attr-defined]
    asked = arguments.get("pipelines") or [arguments.get("pipeline") or "__default__"]
    nodes = [node for name in asked if name in pipelines for node in pipelines[name].nodes]
    spaces = {node.namespace for node in nodes if node.namespace}
    prefixes = {space.rsplit(".", n)[0] for space in spaces for n in range(space.count(".") + 1)}
    known: dict[str, Collection[str]] = {
        "node": {node.name for node in nodes},
        "tag": {tag for node in nodes for tag in node.tags},
        "dataset": {name for node in nodes for name in (*node.inputs, *node.outputs)},
        "namespace": prefixes,
    }
    found = dict(arguments)
    for name, words in given.items():
        option, kind = _OPTIONS[name]
        may_be_end = kind in {"node", "namespace"} and bool(nodes)
        found[name] = [full for word in words for full in _named(word, known[kind], option, kind, may_be_end)]
    return found


def _named(word: str, known: Collection[str], option: str, kind: str, may_be_end: bool) -> list[str]:
    """Return the full names that a word stands for."""
    if word in known:
        return [word]
    if ends := sorted(name for name in known if may_be_end and name.endswith(f".{word}")):
        return ends
    from protsae.core.config import unknown_key_message

    near = {*known, *(name.rpartition(".")[2] for name in known if may_be_end)}
    raise InputError(f"{option} {word}: {unknown_key_message(word, near, kind)}")


def read_params(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Read `--params` as Kedro does; values may also be lists and mappings: `aspects=[BPO,CCO],k=8`.

    Kedro splits at every comma, this at those outside brackets.
    """
    from omegaconf import OmegaConf

    if not isinstance(value, str):
        return value
    items, depth = [""], 0
    for letter in value:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and not depth:
            items.append("")
        else:
            items[-1] += letter
    items = [item.strip() for item in items if item.strip()]
    for item in items:
        if depth or not item.partition("=")[1] or not item.partition("=")[0].strip():
            raise click.UsageError(f"--params: {item!r} is not key=value, such as training.k=8 or x.y=[1,2]")
    return OmegaConf.to_container(OmegaConf.from_dotlist(items))
