"""OnlineClassifier: learn one row, predict one row, in milliseconds."""

from __future__ import annotations

import copy
from collections.abc import Hashable
from typing import Any, Self

import numpy as np

from faast._utils.arrays import AnyArray
from faast.core.row_weights import ROUNDING
from faast.estimators.base import all_or_nothing
from faast.estimators.class_memory import ClassMemory
from faast.estimators.classifier import FaastClassifier
from faast.estimators.head import ClassShares, Head
from faast.estimators.labels import label_indices
from faast.estimators.linear_classifier import labels, probabilities
from faast.estimators.tables import rows_without_names
from faast.solvers import Auto, as_solver
from faast.solvers.recursive import RecursiveDiscriminant


class OnlineClassifier:
    """Learns and predicts one row at a time, without solving for new weights after each row.

    Every row goes into an exact classifier, whose state does not depend on the order of rows. The
    weights that predict are solved for only now and then. In between, each row moves them by a
    rank-one update: class means, scatter and shares of classes follow it, while what leave-one-out
    chose (strength, temperature, random features) stays. See `RecursiveDiscriminant`.

    Parameters
    ----------
    classifier : FaastClassifier
        With ``solver="auto"``, also a `TextClassifier` or `ImageClassifier`; it may have learned
        rows. It stays as it is.
    solve_share : float
        Weights are solved for when the rows learned since the last solution are more than this
        share of the rows learned before. Infinity leaves it to `solve`.

    Raises
    ------
    TypeError
        If the classifier is another one.
    ValueError
        If its solver is not "auto", its rows may have several labels, it was compacted, or the
        share is not above 0.

    Notes
    -----
    Rows of norm above 2 take their scale from the first row that is learned. Where columns vary
    more than 90 times as much as it shows, set `key_scale`, or learn some rows with `fit` first.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from faast import FaastClassifier, OnlineClassifier
    >>> online, right = OnlineClassifier(FaastClassifier()), 0
    >>> for x, y in zip(*load_digits(return_X_y=True)):
    ...     if online.n_rows:
    ...         right += online.predict_one(x) == y
    ...     online = online.learn_one(x, y)
    >>> bool(right / online.n_rows > 0.9)
    True
    """

    def __init__(self, classifier: FaastClassifier, *, solve_share: float = 0.5) -> None:
        if not isinstance(classifier, FaastClassifier):
            raise TypeError(f"expected a FaastClassifier, got a {type(classifier).__name__}")
        solver = as_solver(classifier.solver)
        if not isinstance(solver, Auto):
            raise ValueError(f'expected a classifier with solver="auto", got solver={solver!r}')
        if not solve_share > 0:
            raise ValueError(f"solve_share must be a number above 0, got {solve_share!r}")
        self.solve_share = solve_share
        self._classifier = copy.copy(classifier)
        self._head: Head | None = None
        self._discriminant: RecursiveDiscriminant | None = None
        self._n_solved, self._n_moved = 0.0, 0
        if classifier.is_fitted:
            self._solve(self._classifier)

    @property
    def classifier(self) -> FaastClassifier:
        """A copy of the exact classifier of all rows so far, to save, inspect or change."""
        return copy.copy(self._classifier)

    @property
    def n_rows(self) -> float:
        """Number of learned rows, or the sum of their weights."""
        return self._classifier.n_rows_ if self._classifier.is_fitted else 0.0

    @property
    def is_solved(self) -> bool:
        """Whether the weights that predict are those of the exact classifier."""
        return self._n_moved == 0

    @all_or_nothing
    @rows_without_names()
    def learn_one(self, x: Any, y: Hashable) -> Self:
        """Learn a row.

        Parameters
        ----------
        x : array-like of shape (d,), a raw row, or a mapping of learned column names to values
        y : hashable
            Its label, of a known or new class.

        Raises
        ------
        TypeError, ValueError
            As for `FaastClassifier.partial_fit`; nothing is changed then.
        """
        exact = copy.copy(self._classifier)
        X, targets = exact.encode_to_learn(exact._one_row(x)), exact.resolve_labels([y])
        exact.partial_fit_encoded(X, targets, exact.embed_names(targets))
        return self._follow(exact, X)

    @all_or_nothing
    @rows_without_names()
    def forget_one(self, x: Any, y: Hashable) -> Self:
        """Forget a row that was learned, as if it had never been seen.

        Parameters
        ----------
        x, y
            The row and its label, as they were learned.

        Raises
        ------
        TypeError, ValueError
            As for `FaastClassifier.forget`; nothing is changed then.
        """
        exact, rows = copy.copy(self._classifier), self._classifier._one_row(x)
        exact.forget(rows, [y])
        return self._follow(exact, exact._recall(rows))

    @all_or_nothing
    def solve(self) -> Self:
        """Solve for the exact weights now: from then on predictions are those of `classifier`.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If nothing has been learned.
        """
        self._solve(self._classifier)
        return self

    def predict_one(self, x: Any) -> Any:
        """Predict the label of a row.

        Parameters
        ----------
        x : array-like of shape (d,), or a raw row

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If nothing has been learned.
        """
        head, X = self._ask(x)
        return labels(head, head.score(X)).tolist()[0]

    def predict_proba_one(self, x: Any) -> dict[Hashable, float]:
        """Estimate the probability of each label of a row; see `predict_one`."""
        head, X = self._ask(x)
        found = probabilities(head, head.score(X))[0]
        return dict(zip(head.classes.tolist(), found.tolist(), strict=True))

    def __repr__(self) -> str:
        return f"OnlineClassifier({self._classifier!r}, solve_share={self.solve_share!r})"

    @rows_without_names()
    def _ask(self, x: Any) -> tuple[Head, AnyArray]:
        exact = self._classifier
        exact._require_fitted()
        return self._head or exact._head(), exact._features(exact._one_row(x))

    def _follow(self, exact: FaastClassifier, X: AnyArray) -> Self:
        """Go on to a classifier that has learned, or forgotten, the row X (1, d)."""
        moved = None
        if self._n_moved + 1 <= self.solve_share * self._n_solved:
            moved = self._move(exact._memory(), X)
        if moved is None:
            self._solve(exact)
            return self
        memory, balanced = exact._memory(), exact.class_weight == "balanced"
        assert memory.statistics is not None
        prior = ClassShares.from_moments(memory.statistics.moments, balanced)
        self._head = Head(memory.classes, memory.kind, moved.weights, 1.0, prior=prior)
        self._classifier, self._discriminant, self._n_moved = exact, moved, self._n_moved + 1
        return self

    def _move(self, after: ClassMemory, X: AnyArray) -> RecursiveDiscriminant | None:
        """Return the discriminant after a row X (1, d); None if it must be solved for."""
        found, before = self._discriminant, self._classifier._memory()
        if found is None or not after.n_rows:
            return None
        grown = len(after.classes) - len(before.classes)
        if grown < 0 or (grown > 0 and not found.factor):
            return None
        if grown:
            found = found.select_outputs(label_indices(after.classes, before.classes))
        gained = after.counts - found.counts
        (places,) = np.nonzero(np.abs(gained) > ROUNDING)  # none if the row has no weight
        if not len(places):
            return found
        return found.move(np.asarray(X, np.float64)[0], int(places[0]), float(gained[places[0]]))

    def _solve(self, exact: FaastClassifier) -> None:
        memory, head, discriminant = exact._memory(), None, None
        if memory.kind.several:
            raise ValueError(f"expected one label per row, got {memory.kind.description}")
        if len(memory.classes):
            head = exact._head()
        if head is not None and memory.statistics is not None and memory.n_rows:
            discriminant = RecursiveDiscriminant.of(
                head.weights,
                memory.statistics,
                memory.embedding_matrix(),
                balanced=exact.class_weight == "balanced",
            )
        self._classifier, self._head, self._discriminant = exact, head, discriminant
        self._n_solved, self._n_moved = memory.n_rows, 0
