"""Interpretation: what each latent stands for, by concepts, residues and examples."""
