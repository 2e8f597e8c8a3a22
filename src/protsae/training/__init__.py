"""The trainer, its optimiser, its learning rate and its log."""
