"""Sparse autoencoders: one file per architecture, guidance losses and serialization."""
