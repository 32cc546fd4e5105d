"""What a classifier says of its own answers: prediction sets, abstention, novelty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from faast._typing import AnyArray, FloatArray
from faast.confidence import strangeness

if TYPE_CHECKING:
    from faast.estimators.head import Head


class ConfidentMixin:
    """Confidence from the leave-one-out values that a `Head` keeps."""

    if TYPE_CHECKING:

        def _fitted(self) -> Head: ...
        def _rows(self, X: Any, *, first: bool) -> AnyArray: ...
        def _scores(self, X: Any) -> FloatArray: ...
        def predict(self, X: Any) -> AnyArray: ...  # noqa: D102

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
        head = self._fitted()
        if head.novelty is None:
            raise ValueError(
                "novelty_score needs FaastClassifier(novelty=True), single labels, and at least "
                "two rows of which some are kept (selection_rows > 0)"
            )
        rows = self._rows(X, first=False)
        return head.novelty.score(rows, self._scores(X) / head.temperature)
