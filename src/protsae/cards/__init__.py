"""Latent cards: what every latent of a dictionary does, as tables."""
