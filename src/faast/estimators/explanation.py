"""Explanation: what the answer for one row is made of."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from faast._utils.arrays import AnyArray
from faast.estimators.class_memory import ClassMemory
from faast.estimators.head import Head
from faast.estimators.linear_classifier import probabilities


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
        How much of the label's lead over the mean class, in log-probability, is gone without the
        embeddings of the classes: 0 (rows alone) to 1 (embeddings alone).
    novelty : float or None
        How unlike the learned rows the row is, larger for more; None unless asked for.
    """

    label: Hashable
    scores: dict[Hashable, float]
    rows: dict[Hashable, float]
    prior_share: float
    novelty: float | None


def explain(
    head: Head, without_names: Head | None, memory: ClassMemory, features: AnyArray
) -> Explanation:
    """Explain one row.

    Parameters
    ----------
    head : Head
    without_names : Head or None
        The same without class embeddings; None where no row has been learned.
    memory : ClassMemory
        What `head` was solved from.
    features : ndarray of shape (1, d)
    """
    scores = head.score(features)
    (found,) = probabilities(head, scores)
    order = np.argsort(-found, kind="stable")
    classes = head.classes[order].tolist()
    share = 0.0
    if without_names is None:
        share = 1.0
    elif memory.embeddings is not None:
        whole, rows = (_lead(one, features, classes[0]) for one in (head, without_names))
        share = min(max(1.0 - rows / whole, 0.0), 1.0) if whole > 0 else 0.0
    novelty = None
    if head.novelty is not None:
        novelty = float(head.novelty.score(features, scores / head.temperature)[0])
    return Explanation(
        classes[0],
        dict(zip(classes, found[order].tolist(), strict=True)),
        dict(zip(classes, memory.counts[order].tolist(), strict=True)),
        share,
        novelty,
    )


def _lead(head: Head, features: AnyArray, label: Hashable) -> float:
    """Return how far a class is ahead of the mean class in log-probability."""
    classes = head.classes.tolist()
    if label not in classes:
        return 0.0
    (found,) = probabilities(head, head.score(features))
    logs = np.log(np.maximum(found, np.finfo(float).tiny))
    return float(logs[classes.index(label)] - logs.mean())
