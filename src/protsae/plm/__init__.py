"""Protein language models: checkpoints, forward pass and hook points."""

from protsae.plm.checkpoint import PlmModel, load_plm

__all__ = ["PlmModel", "load_plm"]
