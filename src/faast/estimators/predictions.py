"""What a solved classifier says of rows: labels, probabilities, sets of labels, novelty."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from faast._typing import AnyArray, FloatArray
from faast.confidence import strangeness
from faast.estimators.base import MemoryEstimator
from faast.estimators.head import Head
from faast.weights import FastWeights


class HeadPredictions(MemoryEstimator):
    """Predictions of an estimator that has a `Head`."""

    @abstractmethod
    def _fitted(self) -> Head:
        """Return the head, or say that there is none yet."""

    @property
    def classes_(self) -> AnyArray:
        """Labels that can be predicted."""
        return self._fitted().classes

    @property
    def weights_(self) -> FastWeights:
        """The fast weights that read a query."""
        return self._fitted().weights

    @property
    def temperature_(self) -> float:
        """What scores are divided by before the softmax."""
        return self._fitted().temperature

    def decision_function(self, X: Any) -> FloatArray:
        """Score rows.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n, C), or (n,) for two classes: positive for ``classes_[1]``
        """
        scores = self._scores(X)
        if scores.shape[1] == 2 and not self._fitted().multilabel:
            return scores[:, 1] - scores[:, 0]
        return scores

    def predict_proba(self, X: Any) -> FloatArray:
        """Estimate class probabilities: ndarray of shape (n, C); of each column for indicators."""
        scores = self._scores(X) / self.temperature_
        return expit(scores) if self._fitted().multilabel else softmax(scores, axis=1)

    def predict(self, X: Any) -> AnyArray:
        """Predict labels: ndarray of shape (n,); an indicator matrix where one was learned."""
        scores = self._scores(X)
        if self._fitted().multilabel:
            return (scores > 0).astype(np.int64)
        return self.classes_[scores.argmax(axis=1)]

    def predict_set(self, X: Any, coverage: float = 0.9) -> AnyArray:
        """Name all labels that a row may well have; the true one is among them by coverage.

        A class c stays in the set of a row x unless -log p_c(x) is larger than for all but a share
        1 - coverage of the kept rows, each in its own class with itself left out (conformal
        prediction; Vovk et al. 2005). Leave-one-out scores come in closed form, so no row has to be
        set aside for calibration and no model has to be fitted again. Jackknife+ (Barber et al.
        2021) guarantees 1 - 2 (1 - coverage) for exchangeable rows; about the coverage is what it
        gives.

        Parameters
        ----------
        X : array-like of shape (n, d)
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
        if not 0.0 < coverage < 1.0:
            raise ValueError(f"coverage must be between 0 and 1, got {coverage}")
        head = self._fitted()
        if head.conformity is None:
            raise ValueError(
                "prediction sets need leave-one-out scores of single labels: learn labels, not an "
                "indicator matrix, at least two rows, and keep some (selection_rows > 0)"
            )
        strange = strangeness(self._scores(X) / head.temperature)
        return head.conformity.p_values(strange) > 1.0 - coverage

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
            several (no telling which). A row of another domain may well look like one class: it is
            `novelty_score` that finds those.
        """
        sets = self.predict_set(X, coverage)
        return np.ma.masked_array(self.predict(X), mask=sets.sum(axis=1) != 1)

    def novelty_score(self, X: Any) -> FloatArray:
        """Score how unlike everything learned rows are: unseen classes and other domains.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,), float64
            Larger is more novel; see `faast.novelty.Novelty`.

        Raises
        ------
        ValueError
            The model was not made with ``novelty=True``, is multi-label, or kept no row.
        """
        novelty = self._fitted().novelty
        if novelty is None:
            raise ValueError(
                "novelty_score needs FaastClassifier(novelty=True), single labels, and at least "
                "two rows of which some are kept (selection_rows > 0)"
            )
        X = self._rows(X, first=False)
        return novelty.score(X, self._scores(X) / self.temperature_)

    def _scores(self, X: Any) -> FloatArray:
        head = self._fitted()
        scores = head.read(self._rows(X, first=False))
        return scores - 0.5 if head.multilabel else scores
