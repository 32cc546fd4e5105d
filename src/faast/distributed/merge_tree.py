"""A tree of merges that grows while the states to merge arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from faast.distributed.partitions import Span


class MergeTree:
    """Merges neighbouring states of equal size, as a binary counter carries.

    States are references to results that may not exist yet, so nothing waits here. Every tree gives
    the same bits because sums are exact. This one holds few states at a time and can merge while
    other partitions are still being learned.

    Parameters
    ----------
    merge : callable
        Takes references to the left and right state and the span that both cover; returns a
        reference to the merged state.
    """

    def __init__(self, merge: Callable[[Any, Any, Span], Any]) -> None:
        self._merge = merge
        self._pending: list[tuple[Span, Any]] = []

    def push(self, span: Span, state: Any) -> None:
        """Add the state of the next span of partitions."""
        self._pending.append((span, state))
        while len(self._pending) > 1 and _size(self._pending[-2][0]) <= _size(span):
            span = self._merge_last_two()

    @property
    def root(self) -> Any:
        """Reference to the state of all partitions; at least one must have been pushed."""
        while len(self._pending) > 1:
            self._merge_last_two()
        return self._pending[0][1]

    def _merge_last_two(self) -> Span:
        (right, right_state), (left, left_state) = self._pending.pop(), self._pending.pop()
        span = Span(left.start, right.stop)
        self._pending.append((span, self._merge(left_state, right_state, span)))
        return span


def _size(span: Span) -> int:
    return span.stop - span.start
