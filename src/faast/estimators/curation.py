"""A classifier that helps to correct labels, and to choose which rows to label next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import as_rows
from faast.estimators.base import all_or_nothing, drop_weightless
from faast.estimators.class_changes import ChangingClassifier
from faast.estimators.class_memory import LabelledRows
from faast.estimators.class_record import ClassChange
from faast.estimators.labels import as_labels
from faast.estimators.left_out import LeftOut, give_labels
from faast.estimators.next_rows import CANDIDATES, RowChooser, Suggestions
from faast.estimators.settings import weigh_by_class
from faast.estimators.suspects import LabelCheck, Suspects
from faast.estimators.targets import Targets


class CuratedClassifier(ChangingClassifier):
    """A classifier that can check and change the labels of rows, and suggest rows to label."""

    def loo_proba(self, X: Any, y: Any) -> FloatArray:
        """Estimate class probabilities of learned rows, each by the model without this row.

        All of them come in closed form from what was learned, also in a model from a file, and for
        rows that are not in the sample (see `selection_rows`).

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows
        y : array-like of shape (n,)
            The labels that they were learned with. Of equal rows of one label, one is left out.

        Returns
        -------
        ndarray of shape (n, C)
            cleanlab takes them as ``pred_probs``.

        Raises
        ------
        ValueError
            If a row was never learned with this label (while all rows are kept; later, as far as
            the sample can tell), rows may have several labels, or the model keeps no rows
            (`selection_rows` is 0, or it was compacted).
        """
        left_out = self._left_out()
        rows = self._learned_rows(X, y)
        _require_learned(left_out, *rows)
        return left_out.proba(*rows)

    def suspects(self, X: Any = None, y: Any = None) -> Suspects:
        """Rank learned rows by how likely their label is wrong.

        A label is wrong as far as `loo_proba` contradicts it, once the noise of all labels is taken
        out of these probabilities; see `LabelNoise`.

        Parameters
        ----------
        X, y : array-like, optional
            Learned rows and their labels, as for `loo_proba`. By default the rows of the last `fit`
            in this process, as far as `loo_proba_` has them, with the labels that `relabel` gave.

        Returns
        -------
        Suspects

        Raises
        ------
        ValueError
            As for `loo_proba`, or if no rows are given and those of the last `fit` are not known.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from faast import FaastClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> y[[10, 200, 600]] = 5, 6, 7  # three mistakes, beside those of the data set
        >>> model = FaastClassifier().fit(X, y)
        >>> found = model.suspects(X, y).first(5)
        >>> sorted(found.rows.tolist())
        [10, 87, 200, 600, 1264]
        >>> model.relabel(X[found.rows], found.given, found.suggested)
        FaastClassifier()
        """
        check = LabelCheck(self._left_out())
        rows = self._rows_of_fit() if X is None and y is None else self._learned_rows(X, y)
        _require_learned(check.left_out, *rows)
        return check.suspects(*rows)

    def label_check(self) -> LabelCheck:
        """Return what finds suspects batch by batch, in rows that `features_to_check` returned."""
        return LabelCheck(self._left_out())

    @all_or_nothing
    def relabel(self, X: Any, old: Any, new: Any, sample_weight: Any = None) -> Self:
        """Give learned rows other labels, as if they had been learned with them.

        The state is bit for bit that of a fit on the corrected rows, as far as `forget` is exact.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows
        old : array-like of shape (n,)
            Labels that the rows were learned with.
        new : array-like of shape (n,)
            Labels that they get; they may be new classes. A class without rows is dropped.
        sample_weight : array-like of shape (n,), optional
            Weights that the rows were learned with.

        Raises
        ------
        RowsNotLearnedError, ValueError
            As for `forget`; nothing changes then.
        """
        features, memory = self._recall(X), self._memory()
        before, after = (
            LabelledRows(
                *self._checked(features, self.resolve_labels(y), sample_weight, first=False)
            )
            for y in (old, new)
        )
        self.learned_ = self._name(memory.exchange(before, after), self.embed_names(new))
        if self._last_fit is not None:
            self._last_fit = give_labels(memory, self._last_fit, before, after)
        return self

    @all_or_nothing
    def split_class(self, label: Any, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Give rows of a class other labels, and record it in `class_history_`; see `relabel`.

        Parameters
        ----------
        label : label
            The class that the rows were learned with; its other rows stay.
        X : array-like of shape (n, d), or n raw rows
        y : array-like of shape (n,)
            The label that each row gets: of new or known classes.
        sample_weight : array-like of shape (n,), optional
            As the rows were learned.

        Raises
        ------
        RowsNotLearnedError, ValueError
            If `label` is no class, or rows were not learned with it; nothing changes then.
        """
        self._single_label_memory()
        (old,), targets = as_labels([label]).tolist(), self.resolve_labels(y)
        (place,) = self._places([old])
        before = float(self.class_counts_[place])
        self.relabel(X, [old] * len(targets), targets, sample_weight)
        counts = dict(zip(self.classes_.tolist(), self.class_counts_.tolist(), strict=True))
        moved = before - counts.get(old, 0.0)
        change = ClassChange("split", (old,), tuple(targets.labels.tolist()), moved)
        self._record = self._record.append(change)
        return self

    def suggest(self, X: Any, n: int = 20) -> Suggestions:
        """Suggest rows to label next, out of a pool without labels.

        These are the rows whose labels are expected to remove most of the doubt about the pool; see
        `faast.estimators.next_rows`. They differ from each other and from learned rows, and are
        no outliers. Classes without rows, such as declared `labels`, count as possible answers.
        Before anything is learned, the pool alone decides.

        Parameters
        ----------
        X : array-like of shape (m, d), m raw rows, or an iterator of such batches
            The pool. Batches are read one by one, so that it may be larger than memory.
        n : int
            Rows to suggest, 1 to 4,096; fewer if the pool has fewer.

        Returns
        -------
        Suggestions

        Raises
        ------
        ValueError
            If the pool is empty, or n is out of range.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from faast import FaastClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> model = FaastClassifier().fit(X[:20], y[:20])
        >>> rows = model.suggest(X[20:], 10).rows + 20
        >>> model.partial_fit(X[rows], y[rows])
        FaastClassifier()
        """
        chooser = self.row_chooser()
        for batch in X if isinstance(X, Iterator) else [X]:
            chooser.add(self._pool_features(batch))
        return chooser.choose(n)

    def row_chooser(self, candidates: int = CANDIDATES) -> RowChooser:
        """Return what `suggest` collects the pool in: features, as `encode` returns them.

        Parameters
        ----------
        candidates : int
            Rows of the pool that are compared with each other; fewer are faster.
        """
        if not self.is_fitted:
            return RowChooser(None, None, candidates)
        return RowChooser(self._head(), self._memory().statistics, candidates)

    def _pool_features(self, X: Any) -> AnyArray:
        if self.is_fitted:
            return self._features(X)
        return as_rows(self.encode(X), "X")

    def features_to_check(self, rows: Any) -> AnyArray:
        """Return the features that rows were learned with, or nearly so if those are not known."""
        features = self._recall(rows) if self._can_recall() else self.encode(rows)
        return self._check_features(features, first=False)

    def _learned_rows(self, X: Any, y: Any) -> tuple[AnyArray, Targets]:
        X, targets = self.features_to_check(X), self.resolve_labels(y)
        if len(X) != len(targets):
            raise ValueError(
                f"X and y must have the same number of rows, got {len(X)} and {len(targets)}"
            )
        return X, targets

    def _checked(
        self, X: Any, targets: Targets, sample_weight: Any, *, first: bool
    ) -> tuple[AnyArray, Targets, FloatArray | None]:
        X = self._check_features(X, first=first)
        targets = targets.relabel(self._record.aliases)
        weights = weigh_by_class(self.class_weight, targets, sample_weight, self._record.aliases)
        return drop_weightless(X, targets, weights)


def _require_learned(left_out: LeftOut, X: AnyArray, targets: Targets) -> None:
    """Raise ValueError if a row was never learned with its label."""
    missing = np.flatnonzero(~left_out.learned(X, targets))
    if len(missing):
        raise ValueError(
            f"row {missing[0]} was never learned with the label "
            f"{targets.each().tolist()[missing[0]]!r}; give rows and labels as they were learned"
        )
