"""Interpretation: which latent stands for which concept, and on which residues it is active."""
