"""Probing: pooled representations, probes, baselines and the score table."""
