"""A tree of merges over partial states, built while they arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from faast.distributed.saved import Span


class MergeTree:
    """Merges neighbours of equal size, as a binary counter carries.

    States are references to what will be there: nothing waits here. Sums are exact, so that every
    tree gives the same bits; this one keeps few states at a time, and all workers busy.

    Parameters
    ----------
    merge : callable
        From two references and the span that both cover to a reference.
    """

    def __init__(self, merge: Callable[[Any, Any, Span], Any]) -> None:
        self._merge = merge
        self._held: list[tuple[Span, Any]] = []

    def push(self, span: Span, state: Any) -> None:
        """Add the state of the next parts."""
        self._held.append((span, state))
        while len(self._held) > 1 and _size(self._held[-2][0]) <= _size(self._held[-1][0]):
            self._join()

    @property
    def root(self) -> Any:
        """The state of all parts."""
        while len(self._held) > 1:
            self._join()
        return self._held[0][1]

    def _join(self) -> None:
        (right, right_state), (left, left_state) = self._held.pop(), self._held.pop()
        span = Span(left.start, right.stop)
        self._held.append((span, self._merge(left_state, right_state, span)))


def _size(span: Span) -> int:
    return span.stop - span.start
