"""Interpretation: which latent stands for which concept, and what else is seen of it."""
