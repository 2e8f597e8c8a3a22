"""Many trainings from one list: grids and ablations. Each member is cached, can be resumed, and is judged."""
