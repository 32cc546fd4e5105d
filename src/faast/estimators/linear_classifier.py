"""Predict labels, probabilities and scores from the head of a classifier."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any

import numpy as np
from scipy.special import expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.weights import FastWeights
from faast.estimators.base import FaastEstimator
from faast.estimators.head import Head
from faast.estimators.hierarchy import SEPARATOR, Hierarchy
from faast.estimators.left_out_errors import check_share
from faast.estimators.onnx import write_onnx
from faast.estimators.targets import as_targets


class LinearClassifier(ClassifierMixin, FaastEstimator):
    """A classifier with scores linear in features; subclasses define how its head is solved."""

    @abstractmethod
    def _head(self) -> Head:
        """Return the head, solving it if necessary; raise NotFittedError if nothing was learned."""

    @property
    def classes_(self) -> AnyArray:
        """Labels that can be predicted, sorted; for an indicator matrix its columns."""
        return self._head().classes

    @property
    def weights_(self) -> FastWeights:
        """The fast weights, a linear map from features to scores."""
        return self._head().weights

    @property
    def temperature_(self) -> float:
        """Scores are divided by it before the softmax."""
        return self._head().temperature

    @property
    def label_thresholds_(self) -> FloatArray:
        """Log-odds above which each label is answered, (C,), where rows may have several labels.

        Raises
        ------
        ValueError
            If one label per row was learned.
        """
        head = self._head()
        if head.thresholds is None:
            raise ValueError("thresholds exist where rows may have several labels")
        return head.thresholds

    def decision_function(self, X: Any) -> FloatArray:
        """Return the scores of rows.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        ndarray of shape (n, C), or (n,) for two classes: positive for ``classes_[1]``. Where rows
        may have several labels, log-odds less thresholds: positive for labels that are answered.
        """
        head, X = self._ask(X)
        scores = head.score(X)
        if scores.shape[1] == 2 and not head.kind.several:
            return scores[:, 1] - scores[:, 0]
        return scores

    def predict_proba(self, X: Any) -> FloatArray:
        """Estimate class probabilities; of each label by itself where rows may have several.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        ndarray of shape (n, C), float64
        """
        head, X = self._ask(X)
        return probabilities(head, head.score(X))

    def predict_log_proba(self, X: Any) -> FloatArray:
        """Estimate the logarithms of `predict_proba`, finite also where it rounds to 0.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        ndarray of shape (n, C), float64
        """
        head, X = self._ask(X)
        scores = head.score(X)
        if head.kind.several:
            return np.log(np.maximum(probabilities(head, scores), np.finfo(np.float64).tiny))
        return log_softmax(scores / head.temperature, axis=1)

    def predict_path(self, X: Any, confidence: float = 0.9, separator: str = SEPARATOR) -> AnyArray:
        """Predict paths, such as card/lost, as far down as is sure enough.

        The probability of a node is the sum over its classes. From the root, the answer goes down
        to the most probable child while that is at least as probable as `confidence`.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows
        confidence : float
            In (0, 1].
        separator : str
            Stands between the parts of a path.

        Returns
        -------
        ndarray of shape (n,)
            Paths; "" where no node of the first level is sure enough. A class that is also a node,
            such as card beside card/lost, is answered where card as a whole is sure.

        Raises
        ------
        ValueError
            If the confidence is out of range, rows may have several labels, a class is no text, or
            a path has an empty part.
        """
        confidence = check_share(confidence, "confidence", may_be_all=True)
        head, X = self._ask(X)
        if head.kind.several:
            raise ValueError("paths are answered where rows have one label; this model has several")
        hierarchy = Hierarchy(head.classes.tolist(), separator)
        return hierarchy.descend(probabilities(head, head.score(X)), confidence)[0]

    def predict(self, X: Any) -> Any:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        ndarray of shape (n,); if lists of labels were learned, a list of n lists, and if an
        indicator matrix was, ndarray of shape (n, C), int64
        """
        head, X = self._ask(X)
        return labels(head, head.score(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows with the right label, or with exactly the right labels.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows
        y : targets of n rows, in the form in which targets were learned
        sample_weight : array-like of shape (n,), optional

        Raises
        ------
        ValueError
            If there are no rows, or targets are of another kind than was learned.
        """
        head, X = self._ask(X)
        targets = as_targets(y, head.kind).require_like(head.kind, head.classes)
        check_consistent_length(X, targets.marks, sample_weight)
        if not len(X):
            raise ValueError("there are no rows to score; give at least one")
        scores, true = head.score(X), targets.among(head.classes)
        if head.kind.several:
            right = (true == (scores > 0)).all(axis=1) & (true.sum(1) == targets.marks.sum(1))
        else:
            right = true[np.arange(len(true)), scores.argmax(axis=1)]
        return float(np.average(right, weights=sample_weight))

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the head, which predicts from features, as an ONNX graph; see `write_onnx`."""
        write_onnx(self._head(), path)

    def _ask(self, X: Any) -> tuple[Head, AnyArray]:
        """Return the head, and the features of the rows that it is to predict."""
        self._require_fitted()
        X = self._features(X)
        return self._head(), X

    def _features(self, X: Any) -> AnyArray:
        """Return the features of rows to be predicted."""
        return self._check_features(X, first=False)


def labels(head: Head, scores: FloatArray) -> Any:
    """Return the labels of scores (n, C), in the form in which targets were learned."""
    return head.kind.answer(scores, head.classes)


def probabilities(head: Head, scores: FloatArray) -> FloatArray:
    """Return the probabilities of scores (n, C)."""
    if head.thresholds is not None:
        return expit(scores + head.thresholds)
    return softmax(scores / head.temperature, axis=1)
