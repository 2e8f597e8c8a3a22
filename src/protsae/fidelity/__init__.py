"""What is left of activations and of the language model when a dictionary's reconstructions stand in."""
