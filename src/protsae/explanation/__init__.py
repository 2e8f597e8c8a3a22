"""Explanation: one sentence per latent, and how well it predicts where the latent fires."""
