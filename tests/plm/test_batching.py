"""Batches under a token budget."""

import random

from protsae.plm.batching import consecutive_parts, token_budget_batches


def test_batches_are_sorted_and_count_special_tokens():
    # tokens 12, 5, 12, 5: 5 + 5 + 12 = 22 fit, the other 12 does not
    assert token_budget_batches([10, 3, 10, 3], max_tokens=22) == [[1, 3, 0], [2]]
    assert token_budget_batches([10, 3, 10, 3], max_tokens=21) == [[1, 3], [0], [2]]


def test_a_sequence_above_the_budget_is_alone():
    assert token_budget_batches([100, 1, 50], max_tokens=10) == [[1], [2], [0]]


def test_every_sequence_is_in_one_batch_within_budget():
    lengths = [random.Random(1).randint(1, 60) for _ in range(200)]
    batches = token_budget_batches(lengths, max_tokens=100)
    assert sorted(i for batch in batches for i in batch) == list(range(200))
    assert all(sum(lengths[i] + 2 for i in batch) <= 100 for batch in batches)


def test_nothing_makes_no_batch():
    assert token_budget_batches([], max_tokens=10) == []


def test_consecutive_parts_keep_the_order_and_the_budget():
    assert consecutive_parts([3, 3, 3, 20, 1, 4], 10) == [slice(0, 2), slice(2, 3), slice(3, 4), slice(4, 6)]
    assert consecutive_parts([3, 3], 10) == [slice(0, 2)]
    assert consecutive_parts([], 10) == []
