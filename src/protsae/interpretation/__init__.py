"""Interpretation: what each latent answers to, with evidence."""
