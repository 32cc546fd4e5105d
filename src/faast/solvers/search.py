"""Search for the best of several candidates in a row, such as strengths of regularisation."""

from __future__ import annotations

from collections.abc import Callable


def walk_downhill(loss: Callable[[int], float], n: int, start: int) -> int:
    """Return the index of the minimum of a loss over 0..n-1 reached downhill from a start."""
    losses: dict[int, float] = {}

    def at(index: int) -> float:
        if index not in losses:
            losses[index] = loss(index)
        return losses[index]

    place = start
    at(place)
    for direction in (1, -1):
        while 0 <= place + direction < n and at(place + direction) < at(place):
            place += direction
        if place != start:
            break
    return place
