"""Predictions of a classifier from its head: labels, probabilities and scores."""

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
    """A classifier whose scores are linear in features; subclasses say how its head comes about."""

    @abstractmethod
    def _head(self) -> Head:
        """Return the head, solved if need be; raise NotFittedError where nothing was learned."""

    @property
    def classes_(self) -> AnyArray:
        """Labels that can be predicted, sorted; of an indicator matrix the column numbers."""
        return self._head().classes

    @property
    def weights_(self) -> FastWeights:
        """The fast weights that read a row of features."""
        return self._head().weights

    @property
    def temperature_(self) -> float:
        """Scores are divided by it before the softmax."""
        return self._head().temperature

    def decision_function(self, X: Any) -> FloatArray:
        """Score rows.

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
        """Estimate class probabilities: ndarray of shape (n, C); of each column for indicators."""
        head, X = self._ask(X)
        return probabilities(head, head.score(X))

    def predict(self, X: Any) -> AnyArray:
        """Predict labels: ndarray of shape (n,); an indicator matrix where one was learned."""
        head, X = self._ask(X)
        return labels(head, head.score(X))

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write what predicts as an ONNX graph of features; see `write_onnx`."""
        write_onnx(self._head(), path)

    def _ask(self, X: Any) -> tuple[Head, AnyArray]:
        """Return one head, which answers the whole question, and the features of the rows."""
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
