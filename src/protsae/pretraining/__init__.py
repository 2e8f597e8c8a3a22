"""Masked-language modelling with models of ESM-2's architecture."""
