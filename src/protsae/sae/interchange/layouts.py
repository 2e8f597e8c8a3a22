"""The layouts of other libraries: which one a path has, and how it is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from protsae.core.errors import InputError, naming
from protsae.sae.interchange.dictionary import DictionaryTensors
from protsae.sae.interchange.dictionary_learning import read_dictionary_learning
from protsae.sae.interchange.interplm import OWN_TENSORS, read_interplm
from protsae.sae.interchange.interprot import read_interprot
from protsae.sae.interchange.saelens import CFG, WEIGHTS, read_saelens
from protsae.sae.interchange.sparsify import read_sparsify

Layout = Literal["saelens", "interplm", "interprot", "sparsify", "dictionary_learning"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


class Reader(NamedTuple):
    """How a layout is read."""

    read: Callable[..., DictionaryTensors]
    """Given a path and choices."""
    file: str
    """The file that is read of a folder; empty: `read` takes folders as they are."""
    choices: tuple[str, ...]
    """What a file may leave open. `k`: latents per token, which InterProt's files do not hold, nor those of
    TopK of early revisions of dictionary_learning. `activation`: topk or batch_topk, for which InterPLM's and
    dictionary_learning's files have the same tensors.
    `normalise_codes`: divide InterPLM's codes by `activation_rescale_factor`."""


_READERS: dict[Layout, Reader] = {
    "saelens": Reader(read_saelens, "", ()),
    "sparsify": Reader(read_sparsify, "", ()),
    "interprot": Reader(read_interprot, "", ("k",)),
    "interplm": Reader(read_interplm, "ae.pt", ("activation", "normalise_codes", "k")),
    "dictionary_learning": Reader(read_dictionary_learning, "ae.pt", ("activation", "k")),
}


def read_dictionary(
    path: str | Path, layout: Layout | Literal["auto"] = "auto", **choices: object
) -> DictionaryTensors:
    """Read another library's autoencoder as plain tensors.

    Args:
        path: a folder or a file, see docs/interchange.md.
        layout: one of `LAYOUTS`; `auto`: told by names of files and tensors.
        **choices: what the file leaves open, see `Reader.choices`.

    Raises:
        InputError: not such a file, damaged, one that would run code, of a kind that cannot be read, or
            something is open that a choice has to settle; and a choice that the layout has no use for.
    """
    source = Path(path)
    if not source.exists():
        raise InputError(f"{source} does not exist")
    if layout != "auto" and layout not in LAYOUTS:
        raise InputError(f"unknown layout {layout!r}; known: auto, {', '.join(LAYOUTS)}")
    found: Layout = layout_of(source) if layout == "auto" else layout
    reader = _READERS[found]
    given = {name: value for name, value in choices.items() if value}
    if useless := [name for name in given if name not in reader.choices]:
        raise InputError(f"layout {found} does not take {useless[0]}")
    with naming(source):
        return reader.read(source / reader.file if source.is_dir() else source, **given)


def layout_of(path: Path) -> Layout:
    """Recognise the layout by the names of files, or of tensors.

    Raises:
        InputError: none fits, or more than one file does.
    """
    if path.is_dir():
        return _of_folder(path)
    if path.name == WEIGHTS:
        return "saelens"
    if path.name == "sae.safetensors" and (path.parent / CFG).is_file():
        return "sparsify"
    if path.suffix in (".safetensors", ".ckpt"):
        return "interprot"
    if path.suffix == ".pt":
        return _of_torch_file(path)
    raise InputError(f"{path}: no layout has a file of this name; give `layout`, one of {', '.join(LAYOUTS)}")


def _of_folder(folder: Path) -> Layout:
    if (folder / WEIGHTS).is_file():
        return "saelens"
    if (folder / "sae.safetensors").is_file():
        return "sparsify"
    if (folder / "ae.pt").is_file():
        return _of_torch_file(folder / "ae.pt")
    models = sorted(path.name for path in folder.glob("*") if path.suffix in (".pt", ".ckpt", ".safetensors"))
    if models:
        raise InputError(f"{folder} holds {', '.join(models[:5])}: give the path of the one to read")
    raise InputError(f"{folder} holds no autoencoder of a known layout ({', '.join(LAYOUTS)})")


def _of_torch_file(path: Path) -> Layout:
    from protsae.core.tensor_files import load_plain_torch

    content = load_plain_torch(path, "autoencoder's state dict")
    names = set(content) if isinstance(content, dict) else set()
    if "w_enc" in names or "sae_model.w_enc" in names:
        return "interprot"
    is_interplm = names & OWN_TENSORS or path.stem in ("ae_normalized", "ae_unnormalized")
    if is_interplm or (
        (path.parent / "config.yaml").is_file() and not (path.parent / "config.json").is_file()
    ):
        return "interplm"
    return "dictionary_learning"
