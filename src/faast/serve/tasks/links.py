"""Items of other programs, such as annotations of Label Studio, and the rows they became.

Messages about items may come twice, late or in another order. Each item has a version, which rises
with what is said later; what is not newer than the last one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from faast.encoders.base import Features
from faast.serve.tasks.log import Log
from faast.serve.tasks.records import (
    ABSENT,
    AddedRow,
    Link,
    Place,
    Plan,
    RawRow,
    Standing,
    Step,
)

GONE = "~"
"""Version of a deleted item: larger than any date, as a deleted item never comes back."""


class Item(NamedTuple):
    """What another program says of one of its items.

    Attributes
    ----------
    key : str
        What the program calls it.
    part_of : str
        What it goes with if that is deleted.
    version : str
    raw : str, bytes or list of float
        The row.
    label : str or None
        None if the item teaches nothing.
    source : str or None
    """

    key: str
    part_of: str
    version: str
    raw: RawRow
    label: str | None
    source: str | None

    def resolved(self, resolve: Callable[[str], str]) -> Item:
        """Return the item with the class that its label stands for."""
        return self if self.label is None else self._replace(label=resolve(self.label))


def plan_following(
    log: Log, origin: str, items: Sequence[Item], features: Features, keep: bool
) -> Plan:
    """Plan that rows become what another program says of its items.

    Parameters
    ----------
    log : Log
    origin : str
        The program, and whatever else tells its items from others.
    items : sequence of Item
        Each at most once.
    features : ndarray of shape (n, d), float32
        Of the rows of the items.
    keep : bool
        Whether the log keeps rows as they are given.

    Returns
    -------
    Plan
        Without steps if nothing is to be learned or forgotten.
    """
    steps: list[Step] = []
    added: list[AddedRow] = []
    links: list[Link] = []
    for item, vector in zip(items, features, strict=True):
        known = log.link(origin, item.key)
        if known is not None and known.version >= item.version:
            continue
        if log.link(origin, item.part_of) is not None:  # deleted before this message came
            continue
        row = None if known is None else known.row
        held = None if row is None else log.held(row)
        wanted = ABSENT if item.label is None else Place(Standing.PRESENT, item.label)
        if row is not None and held is not None and np.array_equal(held.features, vector):
            if held.place.label != item.label:
                steps.append(Step(row, held.place, wanted, vector))
        else:
            steps += _forgetting(log, row)
            row = None
            if item.label is not None:
                row = log.next_row() + len(added)
                raw = item.raw if keep and not isinstance(item.raw, list) else None
                added.append(AddedRow(row, item.source, raw, vector))
                steps.append(Step(row, ABSENT, wanted, vector))
        links.append(Link(origin, item.key, item.part_of, item.version, row))
    return Plan(_kind(steps, added), steps, added, links=links)


def plan_unfollowing(
    log: Log, origin: str, keys: Sequence[str] = (), parts: Sequence[str] = ()
) -> Plan:
    """Plan that rows of deleted items are forgotten.

    Parameters
    ----------
    log, origin
        See `plan_following`.
    keys : sequence of str
        Deleted items.
    parts : sequence of str
        What was deleted with all items that are part of it.
    """
    found = [log.link(origin, key) or Link(origin, key, "", GONE, None) for key in keys]
    for part in parts:
        found += [*log.links_of(origin, part), Link(origin, part, "", GONE, None)]
    links = {link.key: link._replace(version=GONE) for link in found}
    steps = [step for link in links.values() for step in _forgetting(log, link.row)]
    return Plan("forget", steps, links=list(links.values()))


def _forgetting(log: Log, row: int | None) -> list[Step]:
    return [] if row is None else log.forgetting("id", row)


def _kind(steps: Sequence[Step], added: Sequence[AddedRow]) -> str:
    if added:
        return "teach"
    return "correct" if any(step.new.label for step in steps) else "forget"
