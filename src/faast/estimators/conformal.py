"""Label sets, abstention and novelty scores, from leave-one-out scores of the learned rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.estimators.answers import AnswerThreshold
from faast.estimators.head import Head
from faast.estimators.left_out_errors import check_share
from faast.estimators.linear_classifier import LinearClassifier, labels, probabilities
from faast.estimators.novelty import Novelty
from faast.solvers.calibration import nonconformity_score

NEEDS_ROWS = (
    "this needs leave-one-out scores of rows with one label each: learn one label per row, at "
    "least two rows, and keep some (selection_rows > 0)"
)


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

    def answer_threshold(
        self,
        precision: float | None = None,
        *,
        coverage: float | None = None,
        confidence: float = 0.9,
    ) -> AnswerThreshold:
        """Choose the least probability of an answer, from the leave-one-out scores.

        Parameters
        ----------
        precision : float, optional
            In (0, 1): wanted share of right answers among all answers. The threshold is the one
            with the most answers that keeps it; see `LeftOutAnswers.promise`.
        coverage : float, optional
            In (0, 1]: wanted share of rows that get an answer. Give one of the two.
        confidence : float
            In (0, 1): chance that the precision is kept, over draws of the learned rows.

        Returns
        -------
        AnswerThreshold
            With the precision and the coverage of the left-out rows, and their intervals.

        Raises
        ------
        ValueError
            If the precision cannot be reached (the message says what can), a number is out of
            range, the model is multi-label, or no row was kept.
        """
        return _threshold(self._head(), precision, coverage, confidence)

    def predict_or_abstain(
        self,
        X: Any,
        precision: float | None = None,
        *,
        coverage: float | None = None,
        none_of_these: float | None = None,
        confidence: float = 0.9,
    ) -> np.ma.MaskedArray[Any, Any]:
        """Predict labels, and abstain where the model does not know.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows
        precision, coverage, confidence
            See `answer_threshold`: rows whose label is less probable get no answer.
        none_of_these : float, optional
            In (0, 1): rows whose `novelty_p_value` is at most this get no answer either, which
            happens to about this share of rows of learned classes. Needs ``novelty=True``.

        Returns
        -------
        masked array of shape (n,)
            Labels as from `predict`, masked where there is no answer; blank rows (see `is_blank`)
            never get one.

        Raises
        ------
        ValueError
            As for `answer_threshold` and `novelty_score`, or if nothing was asked for.
        """
        if precision is None and coverage is None and none_of_these is None:
            raise ValueError("say when to abstain: precision, coverage or none_of_these")
        if none_of_these is not None:
            none_of_these = check_share(none_of_these, "none_of_these")
        head, X = self._ask(X)
        scores = head.score(X)
        mask = head.is_blank(X)
        if precision is not None or coverage is not None:
            least = _threshold(head, precision, coverage, confidence).probability
            mask |= probabilities(head, scores).max(axis=1) < least
        if none_of_these is not None:
            mask |= self._novelty(head).p_values(X, scores / head.temperature) <= none_of_these
        return np.ma.masked_array(labels(head, scores), mask=mask)

    def is_blank(self, X: Any) -> AnyArray:
        """Tell which rows say nothing: blank texts, and rows without a feature that was learned.

        Such a row gets the shares of the classes among the learned rows as its probabilities, as
        nothing more is known of it. A row of a table of numbers is never blank.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        ndarray of shape (n,), bool
        """
        head, X = self._ask(X)
        return head.is_blank(X)

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
        head, X = self._ask(X)
        return self._novelty(head).score(X, head.score(X) / head.temperature)

    def novelty_p_value(self, X: Any) -> FloatArray:
        """Return how often a row of a learned class is as novel as each row.

        Rows of learned classes have p-values of about equal frequency between 0 and 1, so calling
        rows with p <= 0.05 "none of these" errs on about 5 % of them. New classes and other domains
        have small p-values.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        ndarray of shape (n,), float64
            In 1 / (n + 1) to 1: the share of the n sampled rows, each left out, whose
            `novelty_score` is at least as large; the row itself counts as one more.

        Raises
        ------
        ValueError
            As for `novelty_score`.
        """
        head, X = self._ask(X)
        return self._novelty(head).p_values(X, head.score(X) / head.temperature)

    @property
    def measures_novelty(self) -> bool:
        """Whether `novelty_score` is available."""
        return self._head().novelty is not None

    def check_novelty(self, false_alarms: float) -> None:
        """Raise ValueError if this is no share of rows, or `novelty_p_value` is not available."""
        check_share(false_alarms, "none_of_these")
        self._novelty(self._head())

    @staticmethod
    def _novelty(head: Head) -> Novelty:
        if head.novelty is None:
            raise ValueError(
                "novelty needs a model made with novelty=True (faast learn --novelty), one "
                "label per row, and at least two rows of which some are kept (selection_rows > 0)"
            )
        return head.novelty


def _threshold(
    head: Head, precision: float | None, coverage: float | None, confidence: float
) -> AnswerThreshold:
    """Return the threshold of a head; see `ConformalClassifier.answer_threshold`."""
    if (precision is None) == (coverage is None):
        raise ValueError("give either the wanted precision or the wanted coverage of answers")
    confidence = check_share(confidence, "confidence")
    if head.answers is None:
        raise ValueError(NEEDS_ROWS)
    if precision is not None:
        return head.answers.promise(check_share(precision, "precision"), confidence)
    return head.answers.cover(check_share(coverage, "coverage", may_be_all=True), confidence)


def _label_sets(head: Head, X: AnyArray, coverage: Any) -> AnyArray:
    """Return the label sets of rows (n, d) as a boolean matrix (n, C); see `predict_set`."""
    coverage = check_share(coverage, "coverage")
    if head.calibration_scores is None:
        raise ValueError(NEEDS_ROWS)
    scores = nonconformity_score(head.score(X) / head.temperature)
    return head.calibration_scores.p_values(scores) > 1.0 - coverage
