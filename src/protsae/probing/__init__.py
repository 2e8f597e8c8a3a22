"""Probing: proteins encoded by a dictionary, scored for concepts by eight methods, and the scores judged."""
