"""Hierarchies: classes that are paths, such as card/lost, answered as far down as is sure enough.

The probability of a node is the sum over the classes in it. A class that is itself a node, such as
card beside card/lost, is one of the classes in its node: as an answer, card means "card, or
anything in it".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray

SEPARATOR = "/"


class Hierarchy:
    """The nodes of classes that are paths.

    Parameters
    ----------
    classes : sequence of length C
        Texts.
    separator : str
        Stands between the parts of a path.

    Attributes
    ----------
    depth : int
        Parts of the longest path.

    Raises
    ------
    ValueError
        If the separator is empty, a class is no text, or a path has an empty part.
    """

    def __init__(self, classes: Sequence[Any], separator: str = SEPARATOR) -> None:
        if not separator:
            raise ValueError("the separator of paths is empty; give a text such as /")
        self.separator = separator
        self._paths = [split_path(label, separator) for label in classes]
        self.depth = max(map(len, self._paths), default=0)

    def cut(self, label: str, level: int) -> str:
        """Return the first parts of a path; a shorter path stays as it is."""
        return self.separator.join(label.split(self.separator)[:level])

    def nodes(self, level: int) -> tuple[AnyArray, AnyArray]:
        """Return the nodes of a level, and in which of them each class lies.

        Parameters
        ----------
        level : int
            From 1 to `depth`. Classes with shorter paths are nodes of their own.

        Returns
        -------
        names : ndarray of shape (k,), sorted
        places : ndarray of shape (C,), int
        """
        cut = np.array([self.separator.join(path[:level]) for path in self._paths])
        names, places = np.unique(cut, return_inverse=True)
        return names, places

    def probabilities(self, leaves: FloatArray, level: int) -> tuple[AnyArray, FloatArray]:
        """Return the nodes of a level, (k,), and their probabilities, (n, k).

        Parameters
        ----------
        leaves : ndarray of shape (n, C)
            Probabilities of the classes.
        level : int
        """
        names, places = self.nodes(level)
        found = np.zeros((len(leaves), len(names)))
        np.add.at(found.T, places, leaves.T)
        return names, found

    def descend(self, leaves: FloatArray, confidence: float) -> tuple[AnyArray, FloatArray]:
        """Go down from the root to the most probable child while it is probable enough.

        Parameters
        ----------
        leaves : ndarray of shape (n, C)
            Probabilities of the classes.
        confidence : float
            In (0, 1].

        Returns
        -------
        paths : ndarray of shape (n,)
            The last node that is at least this probable; "" where no node of the first level is.
        probabilities : ndarray of shape (n,)
            Of these nodes; 1 for "".
        """
        paths = np.full(len(leaves), "", dtype=object)
        probabilities = np.ones(len(leaves))
        open_rows = np.arange(len(leaves))
        for level in range(1, self.depth + 1):
            names, found = self.probabilities(leaves[open_rows], level)
            parents = np.array([self.cut(name, level - 1) for name in names], dtype=object)
            here = paths[open_rows]
            child = (parents == here[:, None]) & (names != here[:, None])
            found = np.where(child, found, -1.0)
            best = found.argmax(axis=1)
            highest = found[np.arange(len(best)), best]
            sure = highest >= confidence
            open_rows = open_rows[sure]
            paths[open_rows], probabilities[open_rows] = names[best[sure]], highest[sure]
        return paths, probabilities


def split_path(label: Any, separator: str) -> list[str]:
    """Return the parts of a path; ValueError if it is no text or has an empty part."""
    if not isinstance(label, str):
        raise ValueError(f"paths must be texts, but {label!r} is a class; rename it to a text")
    parts = label.split(separator)
    if not all(part.strip() for part in parts):
        raise ValueError(
            f"the path {label!r} has an empty part; write its parts with one {separator!r} between"
        )
    return parts


def has_levels(classes: Sequence[Any], separator: str = SEPARATOR) -> bool:
    """Tell whether classes are paths, of which one has several parts."""
    try:
        return Hierarchy(classes, separator).depth > 1
    except ValueError:
        return False
