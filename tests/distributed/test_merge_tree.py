"""Merges of neighbours while states arrive."""

import pytest

from faast.distributed.merge_tree import MergeTree
from faast.distributed.partitions import Span


@pytest.mark.parametrize("n_states", range(1, 20))
def test_the_root_joins_neighbours_in_order(n_states):
    merged = []

    def merge(left, right, span):
        merged.append(span)
        return left + right

    tree = MergeTree(merge)
    for index in range(n_states):
        tree.push(Span(index, index + 1), [index])
    assert tree.root == list(range(n_states))
    assert len(merged) == n_states - 1


def test_neighbours_of_equal_size_are_merged_at_once():
    merged = []
    tree = MergeTree(lambda left, right, span: merged.append(span))
    for index in range(4):
        tree.push(Span(index, index + 1), None)
    assert merged == [(0, 2), (2, 4), (0, 4)]


def test_a_wider_saved_state_takes_smaller_ones_along():
    merged = []
    tree = MergeTree(lambda left, right, span: merged.append(span))
    tree.push(Span(0, 1), None)
    tree.push(Span(1, 5), None)
    assert merged == [(0, 5)]
