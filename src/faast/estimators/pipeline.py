"""Convert a learned classifier to a plain scikit-learn pipeline."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import check_finite
from faast.core.weights import FeatureWeights
from faast.encoders import Encoder
from faast.encoders.base import Features
from faast.estimators.head import Head
from faast.estimators.raw_rows import as_list
from faast.estimators.targets import TargetKind


class EncoderTransformer(TransformerMixin, BaseEstimator):
    """Transformer that encodes raw rows as float32 rows of norm 1, with a frozen encoder.

    Parameters
    ----------
    encoder : Encoder
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def fit(self, X: Any, y: Any = None) -> Self:
        """Do nothing: the encoder is frozen."""
        return self

    def transform(self, X: Any) -> Features:
        """Encode n raw rows, or the one column of a table: ndarray of shape (n, d), float32."""
        return self.encoder.encode(as_list(X))

    def __sklearn_is_fitted__(self) -> bool:
        return True


class RandomFeatureTransformer(TransformerMixin, BaseEstimator):
    """Transformer that appends random features to the columns of rows.

    Parameters
    ----------
    weights : FeatureWeights
        The weights that are applied to the random features.
    """

    def __init__(self, weights: FeatureWeights) -> None:
        self.weights = weights

    def fit(self, X: Any, y: Any = None) -> Self:
        """Do nothing: the map is fixed."""
        return self

    def transform(self, X: AnyArray) -> FloatArray:
        """Append random features: (n, d) to (n, d + width), float64."""
        check_finite(X, "X")
        return np.concatenate([X, self.weights.map(X)], axis=1, dtype=np.float64)

    def __sklearn_is_fitted__(self) -> bool:
        return True


class LabelsClassifier(ClassifierMixin, BaseEstimator):
    """Fitted linear classifier of rows that may have several labels.

    Parameters
    ----------
    kind : TargetKind
        The form of predictions.
    matrix : ndarray of shape (d, C)
    bias : ndarray of shape (C,)
        Scores are log-odds less thresholds.
    thresholds : ndarray of shape (C,)
    classes : ndarray of shape (C,)
    """

    def __init__(
        self,
        kind: TargetKind,
        matrix: FloatArray,
        bias: FloatArray,
        thresholds: FloatArray,
        classes: AnyArray,
    ) -> None:
        self.kind = kind
        self.matrix = matrix
        self.bias = bias
        self.thresholds = thresholds
        self.classes = classes

    @property
    def classes_(self) -> AnyArray:
        """The labels, (C,)."""
        return self.classes

    def fit(self, X: Any, y: Any = None) -> Self:
        """Do nothing: the weights are given."""
        return self

    def decision_function(self, X: AnyArray) -> FloatArray:
        """Return log-odds less thresholds of rows (n, d): (n, C), float64."""
        scores: FloatArray = np.asarray(X, dtype=np.float64) @ self.matrix + self.bias
        return scores

    def predict_proba(self, X: AnyArray) -> FloatArray:
        """Return the probability of each label of rows (n, d): (n, C), float64."""
        found: FloatArray = expit(self.decision_function(X) + self.thresholds)
        return found

    def predict(self, X: AnyArray) -> Any:
        """Return the labels of rows (n, d) in the form in which they were learned."""
        return self.kind.answer(self.decision_function(X), self.classes)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def as_pipeline(encoder: Encoder | None, head: Head) -> Pipeline:
    """Return an encoder and a head as a pipeline that ends in a fitted logistic regression.

    Where rows may have several labels, it ends in a `LabelsClassifier`.

    Raises
    ------
    ValueError
        If there are fewer than two classes: a logistic regression cannot predict those.
    """
    if len(head.classes) < 2 and not head.kind.several:
        raise ValueError("a pipeline needs at least two classes; learn rows of another one")
    steps: list[tuple[str, Any]] = []
    if encoder is not None:
        steps.append(("encoder", EncoderTransformer(encoder)))
    matrix, bias, mapped = head.weights.matrix, head.weights.bias, head.weights.mapped
    if mapped is not None:
        steps.append(("random_features", RandomFeatureTransformer(mapped)))
        matrix = np.concatenate([matrix, mapped.matrix])
        bias = bias + mapped.bias
    if head.thresholds is not None:
        last = LabelsClassifier(head.kind, matrix, bias, head.thresholds, head.classes)
        return Pipeline([*steps, ("head", last)])
    coefficients, intercepts = matrix.T / head.temperature, bias / head.temperature
    if len(head.classes) == 2:  # for two classes scikit-learn keeps one difference
        coefficients, intercepts = np.diff(coefficients, axis=0), np.diff(intercepts)
    linear = LogisticRegression()
    linear.classes_, linear.coef_, linear.intercept_ = head.classes, coefficients, intercepts
    linear.n_features_in_ = len(matrix)
    linear.n_iter_ = np.zeros(1, dtype=np.int32)
    return Pipeline([*steps, ("head", linear)])
