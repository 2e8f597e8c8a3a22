"""Modules of this package as SAELens folders."""

from pathlib import Path
from typing import Any

import torch

from protsae import __version__
from protsae.sae.base import SparseAutoencoder
from protsae.sae.interchange.dictionary import DictionaryTensors
from protsae.sae.interchange.folding import dictionary_of, nearest_dictionary
from protsae.sae.interchange.input_norm import TokenNormalisedSae
from protsae.sae.interchange.saelens import WEIGHTS, write_saelens
from protsae.sae.interchange.whole_module import write_whole_module
from protsae.sae.protsae import ProtSae


def export_saelens(
    sae: SparseAutoencoder | TokenNormalisedSae,
    folder: str | Path,
    metadata: dict[str, Any] | None = None,
    *,
    plain: bool = False,
    unit_decoder: bool = False,
) -> DictionaryTensors:
    """Write a folder that SAELens' `SAE.load_from_disk` reads.

    Centring and scaling are folded into the weights: codes stay as they are, decoder rows get the norm
    `1 / input_scale`; with `unit_decoder` the rows keep their norm, and every code is multiplied by
    `1 / input_scale`. That factor is in the metadata, `protsae.codes_scale`.

    Args:
        sae: the module.
        folder: made if need be; an existing export is not overwritten.
        metadata: of the module's checkpoint: `hook_point`, `model`, ...
        plain: ProtSAE only: write the nearest plain dictionary; the whole module goes to the same folder.
        unit_decoder: keep the norm of decoder rows rather than the codes.

    Returns:
        What was written; its `notes` say what it lacks.

    Raises:
        InputError: ProtSAE without `plain`, an architecture without a plain dictionary, an existing export.
    """
    about = dict(metadata or {})
    whole = sae if plain and isinstance(sae, ProtSae) else None
    dictionary = dictionary_of(sae) if whole is None else nearest_dictionary(whole)
    codes_scale = 1.0
    if unit_decoder and isinstance(sae, SparseAutoencoder):
        codes_scale = 1 / float(sae.input_scale)
        dictionary = dictionary.with_codes_times(torch.full_like(dictionary.b_enc, codes_scale).double())
    own = {
        "version": __version__,
        "config": (sae.sae if isinstance(sae, TokenNormalisedSae) else sae).config_json(),
        "metadata": about,
        "codes_scale": codes_scale,
        "missing": list(dictionary.notes),
    }
    named = {"model_name": about.get("model"), "hook_name": about.get("hook_point")}
    known = {key: value for key, value in named.items() if value is not None}
    write_saelens(dictionary, Path(folder), {**known, "protsae": own})
    if whole is not None:
        write_whole_module(whole, Path(folder) / WEIGHTS, dictionary.notes, about)
    return dictionary
