"""Many trainings from one list: grids of settings, ablations, each member cached, resumable and judged."""
