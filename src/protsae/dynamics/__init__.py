"""When in a training a measure begins to change."""
