"""Metrics: streaming reconstruction sums, exact ranking metrics, CAFA scores, bootstrap, their table."""
