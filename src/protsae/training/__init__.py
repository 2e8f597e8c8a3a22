"""The one trainer, its optimiser schedule and its log."""
