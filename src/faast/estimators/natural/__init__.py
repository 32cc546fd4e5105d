"""Logistic regression by natural gradient, in one pass over a stream of rows."""

from faast.estimators.natural.classifier import (
    NaturalGradientClassifier as NaturalGradientClassifier,
)
