"""Continual learning: classes that arrive in tasks, and rows that arrive in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from sklearn.utils import gen_batches

from faast import AssociativeMemory, FaastClassifier, Ridge
from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.evaluation.baselines.block_average import BlockAverageMemory
from faast.evaluation.baselines.recursive import RecursiveLeastSquares
from faast.evaluation.measure import Labelled

Order = Literal["given", "shuffled", "sorted", "reversed"]
ORDERS: tuple[Order, ...] = get_args(Order)

STRENGTH = 1.0
"""λ of ridge regression and of the recursion; only ridge regression has an intercept."""


class IncrementalMemory(Protocol):
    """Learns (key, value) pairs in blocks and predicts values for queries."""

    def learn(self, keys: Any, values: Any) -> Any:
        """Learn keys of shape (n, d) with values of shape (n, m)."""

    def read(self, queries: Any) -> AnyArray:
        """Predict values of shape (n, m) for queries of shape (n, d)."""


RIVALS: dict[str, Callable[[int], IncrementalMemory]] = {
    "exact moments, ridge": lambda _: AssociativeMemory(Ridge(strength=STRENGTH)),
    "recursive float32": lambda _: RecursiveLeastSquares(STRENGTH),
    "block average (paper)": lambda block: BlockAverageMemory(buffer_size=block, block_size=block),
}
"""Constructors of memories that learn one-hot classes; they take the number of rows per block."""


@dataclass(frozen=True)
class TaskResult:
    """Accuracies after a task, on test rows of the classes learned so far.

    Attributes
    ----------
    classes : int
        Number of classes learned so far.
    accuracy : float
        Of the classifier that learned task by task, 0 to 1.
    joint : float
        Of a classifier that learned the same rows in one call.
    identical : bool
        Whether all probabilities of the two classifiers are the same floats.
    rivals : dict of str to float
        Accuracy of each of `RIVALS`, which learned the same tasks.
    """

    classes: int
    accuracy: float
    joint: float
    identical: bool
    rivals: dict[str, float]


def split_classes(labels: AnyArray, n_tasks: int, seed: int = 0) -> list[AnyArray]:
    """Split the classes at random into tasks of (almost) equal size.

    Parameters
    ----------
    labels : ndarray of shape (n,)
    n_tasks : int
    seed : int

    Returns
    -------
    list of ndarray
        The classes of each task.

    Raises
    ------
    ValueError
        If a task would hold fewer than two classes.
    """
    classes = np.unique(labels)
    if not 1 <= n_tasks <= len(classes) // 2:
        raise ValueError(
            f"tasks must be in 1 to {len(classes) // 2}, half the classes; got {n_tasks}"
        )
    return np.array_split(np.random.default_rng(seed).permutation(classes), n_tasks)


def class_incremental(
    train: Labelled, test: Labelled, n_tasks: int, *, block: int = 1024, seed: int = 0
) -> Iterator[TaskResult]:
    """Learn classes task by task, the protocol of class-incremental learning.

    Parameters
    ----------
    train, test : pair of ndarray
        Rows of shape (n, d) and labels of shape (n,).
    n_tasks : int
    block : int
        Number of rows that rivals learn at a time.
    seed : int
        Seed of the order of classes.

    Yields
    ------
    TaskResult
        After each task.

    Raises
    ------
    ValueError
        See `split_classes`.
    """
    classes = np.unique(train[1])
    ours = FaastClassifier()
    rivals = {name: make(block) for name, make in RIVALS.items()}
    known = np.empty(0, dtype=classes.dtype)
    for arriving in split_classes(train[1], n_tasks, seed):
        known = np.concatenate([known, arriving])
        rows, labels = _select_classes(train, arriving)
        ours.partial_fit(rows, labels)
        joint = FaastClassifier().fit(*_select_classes(train, known))
        queries, answers = _select_classes(test, known)
        found, expected = ours.predict_proba(queries), joint.predict_proba(queries)
        onehot = np.eye(len(classes))[np.searchsorted(classes, labels)]
        for memory in rivals.values():
            for part in gen_batches(len(rows), block):
                memory.learn(rows[part], onehot[part])
        yield TaskResult(
            classes=len(known),
            accuracy=_accuracy(found, ours.classes_, answers),
            joint=_accuracy(expected, joint.classes_, answers),
            identical=np.array_equal(found, expected),
            rivals={
                name: _accuracy(memory.read(queries), classes, answers)
                for name, memory in rivals.items()
            },
        )


def order_rows(labels: AnyArray, order: Order, seed: int = 0) -> IntArray:
    """Return the positions of all rows as given, shuffled, sorted by class, or reversed.

    Parameters
    ----------
    labels : ndarray of shape (n,)
    order : {"given", "shuffled", "sorted", "reversed"}
    seed : int
        Seed of the shuffle.
    """
    positions = np.arange(len(labels))
    if order == "shuffled":
        return np.random.default_rng(seed).permutation(positions)
    if order == "sorted":
        return np.argsort(labels, kind="stable")
    return positions[::-1] if order == "reversed" else positions


def learn_stream(train: Labelled, order: Order, batch: int, seed: int = 0) -> FaastClassifier:
    """Fit a classifier batch by batch on rows in a certain order.

    Parameters
    ----------
    train : pair of ndarray
        Rows of shape (n, d) and labels of shape (n,).
    order, seed
        See `order_rows`.
    batch : int
        Rows per batch.
    """
    positions = order_rows(train[1], order, seed)
    model = FaastClassifier()
    for part in gen_batches(len(positions), batch):
        model.partial_fit(train[0][positions[part]], train[1][positions[part]])
    return model


def _select_classes(rows: Labelled, classes: AnyArray) -> Labelled:
    selected = np.isin(rows[1], classes)
    return rows[0][selected], rows[1][selected]


def _accuracy(scores: FloatArray, classes: AnyArray, answers: AnyArray) -> float:
    return float((classes[scores.argmax(axis=1)] == answers).mean())
