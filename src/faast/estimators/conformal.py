"""Sets of labels, abstaining, and novelty, from leave-one-out scores of the learned rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.estimators.head import Head
from faast.estimators.linear_classifier import LinearClassifier, labels
from faast.solvers.calibration import nonconformity_score


class ConformalClassifier(LinearClassifier):
    """A classifier that can name several labels, none, or say that a row is new."""

    def predict_set(self, X: Any, coverage: float = 0.9) -> AnyArray:
        """Name all labels that a row may well have; the true one is among them by coverage.

        A class c stays in the set of a row x unless -log p_c(x) is larger than for all but a share
        1 - coverage of the sampled rows, each in its own class with itself left out (conformal
        prediction; Vovk et al. 2005). Leave-one-out scores come in closed form, so no row has to be
        set aside for calibration and no model has to be fitted again. Jackknife+ (Barber et al.
        2021) guarantees 1 - 2 (1 - coverage) for exchangeable rows; about the coverage is what it
        gives.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows
        coverage : float
            In (0, 1): share of the rows whose own label is to be in the set.

        Returns
        -------
        ndarray of shape (n, C), bool
            May have rows with several classes, and rows with none.

        Raises
        ------
        ValueError
            A coverage out of range, a multi-label model, or no row was kept.
        """
        return _label_sets(*self._ask(X), coverage)

    def predict_confident(self, X: Any, coverage: float = 0.9) -> np.ma.MaskedArray[Any, Any]:
        """Predict where one label stands out, abstain elsewhere.

        Parameters
        ----------
        X, coverage
            See `predict_set`.

        Returns
        -------
        masked array of shape (n,)
            Labels as from `predict`, masked where `predict_set` holds none (none of these) or
            several (no telling which). A row of another domain may well look like one class:
            `novelty_score` finds those.
        """
        head, X = self._ask(X)
        sets = _label_sets(head, X, coverage)
        return np.ma.masked_array(labels(head, head.score(X)), mask=sets.sum(axis=1) != 1)

    def novelty_score(self, X: Any) -> FloatArray:
        """Score how unlike everything learned rows are: unseen classes and other domains.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        ndarray of shape (n,), float64
            Larger is more novel; see `faast.estimators.novelty.Novelty`.

        Raises
        ------
        ValueError
            The model was not made with ``novelty=True``, is multi-label, or kept no row.
        """
        if not self.measures_novelty:
            raise ValueError(
                "novelty_score needs a model made with novelty=True, single labels, and at least "
                "two rows of which some are kept (selection_rows > 0)"
            )
        head, X = self._ask(X)
        assert head.novelty is not None
        return head.novelty.score(X, head.score(X) / head.temperature)

    @property
    def measures_novelty(self) -> bool:
        """Whether `novelty_score` can be asked."""
        return self._head().novelty is not None


def _label_sets(head: Head, X: AnyArray, coverage: Any) -> AnyArray:
    """Return which labels rows (n, d) may well have, (n, C); see `predict_set`."""
    if not isinstance(coverage, float) or not 0.0 < coverage < 1.0:
        raise ValueError(f"coverage must be a number between 0 and 1, got {coverage!r}")
    if head.calibration_scores is None:
        raise ValueError(
            "prediction sets need leave-one-out scores of single labels: learn labels, not an "
            "indicator matrix, at least two rows, and keep some (selection_rows > 0)"
        )
    scores = nonconformity_score(head.score(X) / head.temperature)
    return head.calibration_scores.p_values(scores) > 1.0 - coverage
