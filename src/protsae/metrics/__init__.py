"""Metrics: one definition each, as streaming accumulators or exact functions of scores."""
