"""Autoencoders of other libraries read, and ours written for them (docs/interchange.md)."""

from protsae.sae.interchange.dictionary import DictionaryTensors
from protsae.sae.interchange.export import export_saelens
from protsae.sae.interchange.input_norm import TokenNormalisedSae
from protsae.sae.interchange.layouts import LAYOUTS, read_dictionary
from protsae.sae.interchange.modules import module_of

__all__ = [
    "LAYOUTS",
    "DictionaryTensors",
    "TokenNormalisedSae",
    "export_saelens",
    "module_of",
    "read_dictionary",
]
