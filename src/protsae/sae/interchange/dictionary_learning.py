"""dictionary_learning, as SAEBench uses it: `trainer_0/ae.pt`, and `config.json`, which names the class."""

from dataclasses import replace
from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.tensor_files import load_plain_torch
from protsae.sae.interchange.dictionary import DictionaryTensors
from protsae.sae.interchange.interplm import CLASS_OF
from protsae.sae.interchange.states import read_json, tensors_of, whole_number
from protsae.sae.interchange.torch_layouts import CLASSES, read_state

_COPIED = ("dict_class", "lm_name", "layer", "submodule_name", "k", "seed", "steps", "lr")


def read_dictionary_learning(
    path: Path, activation: str | None = None, k: int | None = None
) -> DictionaryTensors:
    """Read `ae.pt`.

    Args:
        path: the file; `config.json` of its folder is read if there is one.
        activation: `topk` or `batch_topk`, where no config tells them apart.
        k: latents per token of TopK, where neither file holds it.

    Raises:
        InputError: not such a file, one that would run code, of a class that is not known, or ambiguous; or k
            differs between the file and its config.
    """
    kind = "dictionary_learning checkpoint"
    state = tensors_of(path, load_plain_torch(path, kind), kind)
    config_path = path.parent / "config.json"
    trainer = _trainer(config_path) if config_path.is_file() else {}
    name = CLASS_OF[activation] if activation in CLASS_OF else trainer.get("dict_class")
    if name is not None and name not in CLASSES:
        raise InputError(f"{config_path}: dict_class {name!r} cannot be read; known: {', '.join(CLASSES)}")
    if k is None and "k" not in state and "k" in trainer:
        k = whole_number(config_path, "k", trainer["k"])
    read = read_state(path, state, None if name is None else str(name), k)
    if read.k is not None and trainer.get("k", read.k) != read.k:
        raise InputError(f"{path} holds k {read.k}, {config_path} says {trainer['k']}: correct one of them")
    about = {key: trainer[key] for key in _COPIED if key in trainer}
    return replace(read, metadata={"layout": "dictionary_learning", **about, **read.metadata})


def _trainer(path: Path) -> dict[str, object]:
    trainer = read_json(path).get("trainer", {})
    if not isinstance(trainer, dict):
        raise InputError(f"{path}: `trainer` is not an object")
    return trainer
