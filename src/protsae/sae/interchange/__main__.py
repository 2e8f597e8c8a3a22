"""Convert on the command line: `python -m protsae.sae.interchange export|import SOURCE TARGET`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from protsae.core.errors import InputError
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.interchange.dictionary import DictionaryTensors
from protsae.sae.interchange.export import export_saelens
from protsae.sae.interchange.input_norm import TokenNormalisedSae
from protsae.sae.interchange.layouts import LAYOUTS, read_dictionary
from protsae.sae.interchange.modules import module_of


def export_command(arguments: argparse.Namespace) -> DictionaryTensors:
    """Write a checkpoint of this package as a SAELens folder."""
    checkpoint = SaeCheckpoint(arguments.source)
    named = {"model": arguments.model_name, "hook_point": arguments.hook_name}
    metadata = checkpoint.metadata | {key: value for key, value in named.items() if value}
    return export_saelens(
        checkpoint.load(),
        arguments.target,
        metadata,
        plain=arguments.plain,
        unit_decoder=arguments.unit_decoder,
    )


def import_command(arguments: argparse.Namespace) -> DictionaryTensors:
    """Write another library's autoencoder as a checkpoint of this package, or as a SAELens folder.

    Raises:
        InputError: the target exists, or is a checkpoint and the autoencoder normalises token by token.
    """
    names = ("k", "activation", "normalise_codes")
    choices = {name: getattr(arguments, name) for name in names if getattr(arguments, name)}
    dictionary = read_dictionary(arguments.source, arguments.layout, **choices)
    metadata: dict[str, Any] = {"imported": dictionary.metadata, "notes": list(dictionary.notes)}
    if arguments.hook_name:
        metadata["hook_point"] = arguments.hook_name
    if arguments.model_name:
        metadata["model"] = arguments.model_name
    sae = module_of(dictionary)
    if arguments.target.suffix != ".safetensors":
        written = export_saelens(sae, arguments.target, metadata)
        return written.with_notes(*dictionary.notes)
    if isinstance(sae, TokenNormalisedSae):
        raise InputError(
            f"{arguments.source} normalises every token ({sae.input_norm}), which a checkpoint here does not "
            f"hold: give a folder as the target, for SAELens' layout, instead of {arguments.target}"
        )
    if arguments.target.exists():
        raise InputError(f"{arguments.target} exists already: give another file, or remove that one")
    save_sae(sae, arguments.target, metadata)
    return dictionary


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        written = arguments.command(arguments)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    k = f", k {written.k}" if written.k else ""
    print(  # noqa: T201
        f"{arguments.target}: {written.activation}, {written.d_sae} latents of width {written.d_model}{k}"
    )
    for note in written.notes:
        print(f"note: {note}")  # noqa: T201
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m protsae.sae.interchange")
    commands = parser.add_subparsers(required=True)
    out = commands.add_parser("export", help="a checkpoint of this package to a SAELens folder")
    out.add_argument("source", type=Path, help="such as data/06_models/topk/sae.safetensors")
    out.add_argument("target", type=Path, help="folder to make")
    out.add_argument("--plain", action="store_true", help="ProtSAE: the nearest plain dictionary")
    out.add_argument("--unit-decoder", action="store_true", help="keep the decoder's norm, rescale the codes")
    out.set_defaults(command=export_command)
    back = commands.add_parser("import", help="another library's autoencoder to a checkpoint or a folder")
    back.add_argument("source", type=Path, help="file or folder")
    back.add_argument("target", type=Path, help="NAME.safetensors for a checkpoint, else a SAELens folder")
    back.add_argument("--layout", choices=["auto", *LAYOUTS], default="auto")
    back.add_argument("--k", type=int, help="latents per token, where the file does not hold it")
    back.add_argument("--activation", choices=["topk", "batch_topk"], help="where the file does not tell")
    back.add_argument("--normalise-codes", action="store_true", help="InterPLM: divide by the largest codes")
    back.set_defaults(command=import_command)
    for command in (out, back):
        command.add_argument("--model-name", help="protein language model, for the metadata")
        command.add_argument("--hook-name", help="hook point, for the metadata")
    return parser


if __name__ == "__main__":
    sys.exit(main())
