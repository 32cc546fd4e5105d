"""Explanation of the prediction for one row."""

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
    """Explains the prediction for one row.

    Attributes
    ----------
    label : hashable
        Where rows may have several labels, the tuple of those that are answered.
    scores : dict of label to float
        Probability of every class, the highest first.
    rows : dict of label to float
        Number of learned rows of every class, in the same order.
    prior_share : float
        Share of the label's lead over the mean class, in log-probability, that is lost without the
        class embeddings: from 0 (all due to rows) to 1 (all due to embeddings).
    novelty : float or None
        Novelty score, larger for rows less like the learned ones; None without ``novelty=True``.
    """

    label: Hashable
    scores: dict[Hashable, float]
    rows: dict[Hashable, float]
    prior_share: float
    novelty: float | None


def explain(
    head: Head, without_names: Head | None, memory: ClassMemory, features: AnyArray
) -> Explanation:
    """Explain the prediction of a head for one row.

    Parameters
    ----------
    head : Head
    without_names : Head or None
        The head solved without class embeddings; None if no row has been learned.
    memory : ClassMemory
        The memory that `head` was solved from.
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
    label = tuple(head.classes[scores[0] > 0].tolist()) if head.kind.several else classes[0]
    return Explanation(
        label,
        dict(zip(classes, found[order].tolist(), strict=True)),
        dict(zip(classes, memory.counts[order].tolist(), strict=True)),
        share,
        novelty,
    )


def _lead(head: Head, features: AnyArray, label: Hashable) -> float:
    """Return the log-probability of a class minus the mean over classes."""
    classes = head.classes.tolist()
    if label not in classes:
        return 0.0
    (found,) = probabilities(head, head.score(features))
    logs = np.log(np.maximum(found, np.finfo(float).tiny))
    return float(logs[classes.index(label)] - logs.mean())
