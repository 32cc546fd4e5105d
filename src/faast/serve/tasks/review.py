"""What the rows of one state say: of their labels, and of which row to label next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from scipy.stats import binomtest

from faast._utils.arrays import AnyArray, FloatArray
from faast.encoders.base import Features
from faast.estimators import FaastClassifier
from faast.estimators.next_rows import Suggestions
from faast.serve.tasks.state import TaskState

CANDIDATES = 1_024
"""Waiting rows that are compared with each other, so that a page need not wait."""

FIRST_POINT = 10
"""Rows at the first point of a learning curve; each further point has twice as many."""


class LearnedRows(NamedTuple):
    """All learned rows that the log holds, of one moment.

    Attributes
    ----------
    state : TaskState
    ids : list of int
    labels : list of str
    confirmed : list of bool
        Whether a person has checked the label.
    features : ndarray of shape (n, d), float32
    """

    state: TaskState
    ids: list[int]
    labels: list[str]
    confirmed: list[bool]
    features: Features


class Accuracy(NamedTuple):
    """How many rows get their label when they are left out.

    Attributes
    ----------
    rows, right : int
    share : float
    interval : tuple of two floats
        95% Clopper-Pearson interval of the share.
    """

    rows: int
    right: int
    share: float
    interval: tuple[float, float]

    @classmethod
    def of(cls, right: AnyArray) -> Self:
        """Count rows (n,) that are right, n > 0."""
        rows, hits = len(right), int(right.sum())
        bounds = binomtest(hits, rows).proportion_ci()
        return cls(rows, hits, hits / rows, (float(bounds.low), float(bounds.high)))


class Doubted(NamedTuple):
    """A row whose label may be wrong.

    Attributes
    ----------
    row : int
        Its number.
    label, suggested : str
        Its label, and the one that is most likely right; the same where nothing speaks against it.
    doubt : float
        Probability that the label is wrong.
    probability, probability_of_suggested : float
        Of both labels, by the model that has not learned the row.
    """

    row: int
    label: str
    suggested: str
    doubt: float
    probability: float
    probability_of_suggested: float


@dataclass(eq=False)
class Review:
    """What learned rows say of their labels, each predicted without having been learned.

    Everything is computed when it is first asked for.

    Attributes
    ----------
    learned : LearnedRows
        At least one row.
    points : dict of str to Accuracy
        Points of the learning curve that are known, also those of earlier states.
    """

    learned: LearnedRows
    points: dict[str, Accuracy] = field(default_factory=dict)

    @cached_property
    def probabilities(self) -> FloatArray:
        """Probability of each class, (n, C), for the rows."""
        return self.learned.state.left_out_probabilities(self.learned.features, self.learned.labels)

    @cached_property
    def predicted(self) -> list[str | None]:
        """The most probable class of each row; None where no other row tells of any."""
        return _predict(self.probabilities, self.learned.state.classes)

    @cached_property
    def right(self) -> AnyArray:
        """Whether each row gets its label, (n,), bool."""
        return _right(self.predicted, self.learned.labels)

    @cached_property
    def doubted(self) -> list[Doubted]:
        """The rows, those whose label is most likely wrong first.

        Rows whose label a person has confirmed are left out, and so is the only row of a class.
        """
        state, ids, labels, confirmed, features = self.learned
        state.solve()
        found = state.features_model.suspects(features, labels)
        place_of = {label: place for place, label in enumerate(state.classes)}
        ranked = zip(
            found.rows.tolist(), found.suggested.tolist(), found.doubt.tolist(), strict=True
        )
        return [
            Doubted(
                ids[row],
                labels[row],
                suggested,
                doubt,
                float(self.probabilities[row, place_of[labels[row]]]),
                float(self.probabilities[row, place_of[suggested]]),
            )
            for row, suggested, doubt in ranked
            if not confirmed[row] and state.classes[labels[row]] > 1
        ]

    def nearest(self, features: Features, n: int) -> list[tuple[int, float]]:
        """Return the rows that are most like one with these features (d,).

        Returns
        -------
        list of (int, float)
            Numbers of rows, each with the cosine of its features and the given ones; columns of
            numbers are standardised first. The most similar first.
        """
        rows, asked = self.learned.features.astype(np.float64), features.astype(np.float64)
        if not len(rows):
            return []
        if self.learned.state.kind == "numbers":
            mean, deviation = rows.mean(axis=0), rows.std(axis=0)
            deviation[deviation == 0.0] = 1.0
            rows, asked = (rows - mean) / deviation, (asked - mean) / deviation
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(asked)
        cosines = rows @ asked / np.maximum(lengths, 1e-300)
        order = np.argsort(-cosines, kind="stable")[:n].tolist()
        return [(self.learned.ids[i], float(cosines[i])) for i in order]

    def curve(self) -> list[Accuracy]:
        """Return the accuracy over the first 10, 20, 40, ... rows, up to half, and over all.

        A point is measured once, and again only if one of its rows is corrected or forgotten.
        """
        n = len(self.learned.ids)
        sizes = [FIRST_POINT * 2**i for i in range(32) if FIRST_POINT * 2 ** (i + 1) <= n]
        keys = [self._key(size) for size in sizes]
        self.points = {
            key: self.points[key] if key in self.points else self._point(size)
            for key, size in zip(keys, sizes, strict=True)
        }
        return [*self.points.values(), Accuracy.of(self.right)]

    def _key(self, size: int) -> str:
        """Return what tells the first rows from others: their numbers and labels."""
        rows = self.learned.ids[:size], self.learned.labels[:size]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def _point(self, size: int) -> Accuracy:
        """Learn the first rows alone, and measure that model."""
        state = self.learned.state
        features, labels = self.learned.features[:size], self.learned.labels[:size]
        names: dict[Hashable, AnyArray] = {
            label: vector for label, vector in state.names.items() if label in state.classes
        }
        model = FaastClassifier(class_embeddings=names or None).fit(features, labels)
        shares = model.loo_proba(features, labels)
        counts = dict(zip(model.classes_.tolist(), model.class_counts_.tolist(), strict=True))
        return Accuracy.of(_right(_predict(shares, counts), labels))


@dataclass(eq=False)
class Pool:
    """All rows that wait for a label, of one moment.

    Attributes
    ----------
    state : TaskState
    ids : list of int
    features : ndarray of shape (n, d), float32
    """

    state: TaskState
    ids: list[int]
    features: Features
    _chosen: dict[int, Suggestions] = field(default_factory=dict, init=False)

    def choose(self, n: int) -> list[int]:
        """Return the places of the rows that are most worth labelling, the most useful first."""
        if not self.ids:
            return []
        if n not in self._chosen:
            if self.state.can_answer:
                self.state.solve()
            chooser = self.state.features_model.row_chooser(CANDIDATES)
            chooser.add(self.features)
            self._chosen[n] = chooser.choose(n)
        chosen: list[int] = self._chosen[n].rows.tolist()
        return chosen


def _predict(probabilities: FloatArray, counts: Mapping[str, float]) -> list[str | None]:
    """Return the most probable class of each row without the row; None if there is none then.

    Parameters
    ----------
    probabilities : ndarray of shape (n, C)
    counts : mapping of label to float
        Number of learned rows of each class, in the order of the probabilities.
    """
    classes: list[str | None] = list(counts)
    if len(classes) == 1 and sum(counts.values()) <= 1:
        classes = [None]
    return [classes[place] for place in probabilities.argmax(axis=1).tolist()]


def _right(predicted: list[str | None], labels: list[str]) -> AnyArray:
    """Tell which predictions are the label."""
    return np.array([guess == label for guess, label in zip(predicted, labels, strict=True)])
