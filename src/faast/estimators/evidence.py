"""Evidence: what in a row speaks for a label and against another one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from faast._utils.arrays import FloatArray

MOST_PARTS = 64
"""Parts that are left out one by one; more words are left out in groups."""

GRID = 8
"""Rows and columns of regions that an image is cut into."""


class Part(NamedTuple):
    """A part of a row.

    Attributes
    ----------
    name : str
        The word or words, the column, or the place of the region.
    effect : float
        What the part adds to the lead; positive speaks for the label, negative against it.
    """

    name: str
    effect: float


@dataclass(frozen=True)
class Evidence:
    """What in one row speaks for a label and what for another.

    Attributes
    ----------
    label : hashable
    against : hashable or None
        The other label: by default the most similar class. None where a row may have several
        labels; then the label is compared with not having it.
    lead : float
        log P(label) - log P(against): above 0 where the label is more probable.
    parts : tuple of Part
        Words and columns in their order, regions row by row from the top left.
    rest : float
        ``lead`` less the sum of all effects: what the classes differ by without any part.
    exact : bool
        Whether effects add up by construction, as the score is a sum over the parts. Otherwise the
        effect of a part is what the lead loses when this part alone is left out, so that parts
        that say the same share the loss.
    shape : tuple of int
        ``(len(parts),)``; for an image the rows and columns of its regions.
    """

    label: Hashable
    against: Hashable | None
    lead: float
    parts: tuple[Part, ...]
    rest: float
    exact: bool
    shape: tuple[int, ...]

    @classmethod
    def of(
        cls,
        labels: tuple[Hashable, Hashable | None],
        lead: float,
        parts: Sequence[Part],
        *,
        exact: bool,
        shape: tuple[int, ...] | None = None,
    ) -> Evidence:
        """Return evidence with the rest that the parts leave of the lead."""
        rest = lead - sum(part.effect for part in parts)
        return cls(*labels, lead, tuple(parts), rest, exact, shape or (len(parts),))

    def strongest(self, n: int) -> list[Part]:
        """Return the `n` parts of largest effect, for or against, the largest first."""
        return sorted(self.parts, key=lambda part: -abs(part.effect))[:n]


def parts_of(names: Iterable[Any], effects: FloatArray) -> list[Part]:
    """Return parts with these names and effects (n,)."""
    return [Part(str(name), effect) for name, effect in zip(names, effects.tolist(), strict=True)]


def leave_out_words(text: str, lead_of: Callable[[list[Any]], FloatArray]) -> list[Part]:
    """Leave out each word of a text, or each group of words if there are many.

    Parameters
    ----------
    text : str
    lead_of : callable
        Returns the leads (n,) of n rows.
    """
    words = text.split()
    size = -(-len(words) // MOST_PARTS) or 1
    groups = [slice(start, start + size) for start in range(0, len(words), size)]
    without = [" ".join([*words[: group.start], *words[group.stop :]]) for group in groups]
    leads = lead_of([text, *without])
    names = [" ".join(words[group]) for group in groups]
    return parts_of(names, leads[0] - leads[1:])


def mask_regions(image: Any, lead_of: Callable[[list[Any]], FloatArray]) -> list[Part]:
    """Cover each region of an image with its mean colour.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3), uint8
    lead_of : callable
        Returns the leads (n,) of n images.
    """
    colour = image.mean(axis=(0, 1)).round().astype(np.uint8)
    down, across = (np.linspace(0, n, GRID + 1).round().astype(int) for n in image.shape[:2])
    masked, names = [], []
    for row in range(GRID):
        for column in range(GRID):
            covered = image.copy()
            height, width = slice(*down[row : row + 2]), slice(*across[column : column + 2])
            covered[height, width] = colour
            masked.append(covered)
            names.append(f"row {row + 1}, column {column + 1}")
    leads = lead_of([image, *masked])
    return parts_of(names, leads[0] - leads[1:])
