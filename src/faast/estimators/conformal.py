"""Label sets, abstention and novelty scores, from leave-one-out scores of the learned rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.estimators.head import Head
from faast.estimators.linear_classifier import LinearClassifier, labels
from faast.solvers.calibration import nonconformity_score


class ConformalClassifier(LinearClassifier):
    """A classifier that can predict label sets, abstain, and score how novel a row is."""

    def predict_set(self, X: Any, coverage: float = 0.9) -> AnyArray:
        """Predict the set of plausible labels of each row, which holds the true one by `coverage`.

        Every sampled row has a calibration score: -log p of its own class, with the row itself left
        out. Class c is in the set of row x unless -log p_c(x) lies among the largest share
        1 - coverage of these scores (conformal prediction; Vovk et al. 2005). Leave-one-out scores
        have a closed form, so no row has to be set aside for calibration and no model has to be
        fitted again. For exchangeable rows, Jackknife+ (Barber et al. 2021) guarantees
        1 - 2 (1 - coverage); in practice about the coverage is reached.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows
        coverage : float
            In (0, 1): desired share of rows whose true label is in the set.

        Returns
        -------
        ndarray of shape (n, C), bool
            True for the classes in the set, which may be several or none.

        Raises
        ------
        ValueError
            If the coverage is out of range, the model is multi-label, or no row was kept.
        """
        return _label_sets(*self._ask(X), coverage)

    def predict_confident(self, X: Any, coverage: float = 0.9) -> np.ma.MaskedArray[Any, Any]:
        """Predict the labels of rows that have a single plausible one, and abstain elsewhere.

        Parameters
        ----------
        X, coverage
            See `predict_set`.

        Returns
        -------
        masked array of shape (n,)
            Labels as from `predict`, masked where `predict_set` contains no label or several. A row
            from another domain may still look like one class; `novelty_score` finds those.

        Raises
        ------
        ValueError
            As for `predict_set`.
        """
        head, X = self._ask(X)
        sets = _label_sets(head, X, coverage)
        return np.ma.masked_array(labels(head, head.score(X)), mask=sets.sum(axis=1) != 1)

    def novelty_score(self, X: Any) -> FloatArray:
        """Score how novel rows are: of unseen classes, or from other domains.

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
            If the model was not made with ``novelty=True``, is multi-label, or kept no row.
        """
        if not self.measures_novelty:
            raise ValueError(
                "novelty_score needs a model made with novelty=True, one label per row, and at "
                "least two rows of which some are kept (selection_rows > 0)"
            )
        head, X = self._ask(X)
        assert head.novelty is not None
        return head.novelty.score(X, head.score(X) / head.temperature)

    @property
    def measures_novelty(self) -> bool:
        """Whether `novelty_score` is available."""
        return self._head().novelty is not None


def _label_sets(head: Head, X: AnyArray, coverage: Any) -> AnyArray:
    """Return the label sets of rows (n, d) as a boolean matrix (n, C); see `predict_set`."""
    if not isinstance(coverage, float) or not 0.0 < coverage < 1.0:
        raise ValueError(f"coverage must be a number between 0 and 1, got {coverage!r}")
    if head.calibration_scores is None:
        raise ValueError(
            "prediction sets need leave-one-out scores of rows with one label each: learn one "
            "label per row, at least two rows, and keep some (selection_rows > 0)"
        )
    scores = nonconformity_score(head.score(X) / head.temperature)
    return head.calibration_scores.p_values(scores) > 1.0 - coverage
