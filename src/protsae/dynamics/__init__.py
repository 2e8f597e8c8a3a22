"""When in a training a metric begins to change."""
