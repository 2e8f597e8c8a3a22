"""How well activations and the language model are preserved when reconstructions replace activations."""
