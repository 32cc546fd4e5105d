"""What a classifier of raw rows answers."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.estimators import FaastClassifier
from faast.estimators.class_memory import ClassMemory


class Prediction(NamedTuple):
    """Answer for one row.

    Attributes
    ----------
    label : hashable
    score : float
        Its probability.
    """

    label: Hashable
    score: float


@dataclass(frozen=True)
class Explanation:
    """What the answer for one row is made of.

    Attributes
    ----------
    label : hashable
    scores : dict of label to float
        Probability of every class, the highest first.
    rows : dict of label to float
        Rows learned of every class, in the same order.
    prior_share : float
        How much of the label's lead over the mean class, in log-probability, is gone without what
        the names of the classes say: 0 (rows alone) to 1 (names alone).
    novelty : float or None
        How unlike the learned rows the row is, larger for more; None unless asked for.
    """

    label: Hashable
    scores: dict[Hashable, float]
    rows: dict[Hashable, float]
    prior_share: float
    novelty: float | None


def explain(
    classifier: FaastClassifier, unnamed: FaastClassifier | None, features: AnyArray
) -> Explanation:
    """Explain one row.

    Parameters
    ----------
    classifier : FaastClassifier
        Not compacted.
    unnamed : FaastClassifier or None
        The same without class embeddings; None where no row has been learned.
    features : ndarray of shape (1, d)
    """
    (probabilities,) = classifier.predict_proba(features)
    order = np.argsort(-probabilities, kind="stable")
    classes = classifier.classes_[order].tolist()
    learned = classifier.learned_
    counts = np.zeros(len(order))
    if isinstance(learned, ClassMemory):
        counts = learned.counts[order]
    share = 0.0
    if unnamed is None:
        share = 1.0
    elif isinstance(learned, ClassMemory) and learned.embeddings:
        whole, rows = (_lead(model, features, classes[0]) for model in (classifier, unnamed))
        share = min(max(1.0 - rows / whole, 0.0), 1.0) if whole > 0 else 0.0
    novelty = novelty_of(classifier, features)
    return Explanation(
        classes[0],
        dict(zip(classes, probabilities[order].tolist(), strict=True)),
        dict(zip(classes, counts.tolist(), strict=True)),
        share,
        None if novelty is None else float(novelty[0]),
    )


def novelty_of(classifier: FaastClassifier, features: AnyArray) -> FloatArray | None:
    """Return the novelty of rows, shape (n,), where the classifier keeps what it needs."""
    return None if classifier._fitted().novelty is None else classifier.novelty_score(features)


def _lead(classifier: FaastClassifier, features: AnyArray, label: Hashable) -> float:
    """Return how far a class is ahead of the mean class in log-probability."""
    classes = classifier.classes_.tolist()
    if label not in classes:
        return 0.0
    (logs,) = np.log(np.maximum(classifier.predict_proba(features), np.finfo(float).tiny))
    return float(logs[classes.index(label)] - logs.mean())
