"""Probing: proteins encoded by a dictionary, scored for concepts next to baselines, and the scores judged."""
