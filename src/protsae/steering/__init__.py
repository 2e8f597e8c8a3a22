"""Steering: sequences written anew while values at a hook point of the language model are changed."""
