"""Batches under a token budget. Their composition is a pure function of the lengths and the budget."""

from collections.abc import Sequence

SPECIAL_TOKENS = 2
"""Tokens that ESM-2 adds to every sequence: one before, one after."""


def token_budget_batches(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Group sequences of similar length so that no batch holds more than `max_tokens` tokens.

    Args:
        lengths: residues per sequence.
        max_tokens: budget, special tokens included. A sequence above it is a batch of its own.

    Returns:
        Positions in `lengths`: shortest first, ties in the given order.
    """
    batches: list[list[int]] = []
    room = 0
    for position in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        n_tokens = lengths[position] + SPECIAL_TOKENS
        if n_tokens > room:
            batches.append([])
            room = max_tokens
        batches[-1].append(position)
        room -= n_tokens
    return batches


def consecutive_parts(lengths: Sequence[int], max_tokens: int) -> list[slice]:
    """Cut sequences, in their order, into runs of at most `max_tokens` tokens; a longer one is by itself."""
    parts: list[slice] = []
    room = 0
    for position, length in enumerate(lengths):
        n_tokens = length + SPECIAL_TOKENS
        if n_tokens > room:
            parts.append(slice(position, position))
            room = max_tokens
        parts[-1] = slice(parts[-1].start, position + 1)
        room -= n_tokens
    return parts
