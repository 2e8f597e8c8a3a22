"""Protein language models: checkpoints, forward pass and hook points."""
