"""Predict labels, probabilities and scores from the head of a classifier."""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.weights import FastWeights
from faast.estimators.base import FaastEstimator
from faast.estimators.head import Head
from faast.estimators.onnx import write_onnx


class LinearClassifier(ClassifierMixin, FaastEstimator):
    """A classifier with scores linear in features; subclasses define how its head is solved."""

    @abstractmethod
    def _head(self) -> Head:
        """Return the head, solving it if necessary; raise NotFittedError if nothing was learned."""

    @property
    def classes_(self) -> AnyArray:
        """Labels that can be predicted, sorted; for an indicator matrix the column numbers."""
        return self._head().classes

    @property
    def weights_(self) -> FastWeights:
        """The fast weights, a linear map from features to scores."""
        return self._head().weights

    @property
    def temperature_(self) -> float:
        """Scores are divided by it before the softmax."""
        return self._head().temperature

    def decision_function(self, X: Any) -> FloatArray:
        """Return the scores of rows.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        ndarray of shape (n, C), or (n,) for two classes: positive for ``classes_[1]``
        """
        head, X = self._ask(X)
        scores = head.score(X)
        if scores.shape[1] == 2 and not head.multilabel:
            return scores[:, 1] - scores[:, 0]
        return scores

    def predict_proba(self, X: Any) -> FloatArray:
        """Estimate class probabilities, or of each indicator column.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        ndarray of shape (n, C), float64
        """
        head, X = self._ask(X)
        return probabilities(head, head.score(X))

    def predict(self, X: Any) -> AnyArray:
        """Predict labels.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        ndarray of shape (n,); an indicator matrix (n, C), int64, if one was learned
        """
        head, X = self._ask(X)
        return labels(head, head.score(X))

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the head, which predicts from features, as an ONNX graph; see `write_onnx`."""
        write_onnx(self._head(), path)

    def _ask(self, X: Any) -> tuple[Head, AnyArray]:
        """Return the head, and the features of the rows that it is to predict."""
        check_is_fitted(self)
        X = self._features(X)
        return self._head(), X

    def _features(self, X: Any) -> AnyArray:
        """Return the features of rows to be predicted."""
        return self._check_features(X, first=False)


def labels(head: Head, scores: FloatArray) -> AnyArray:
    """Return the labels of scores (n, C)."""
    if head.multilabel:
        return (scores > 0).astype(np.int64)
    return head.classes[scores.argmax(axis=1)]


def probabilities(head: Head, scores: FloatArray) -> FloatArray:
    """Return the probabilities of scores (n, C)."""
    scores = scores / head.temperature
    return expit(scores) if head.multilabel else softmax(scores, axis=1)
