"""Learning a stream: classes that arrive in tasks, and rows in any order."""

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
"""λ of ridge and of the recursion, which differ in their arithmetic and in ridge's intercept."""


class Memory(Protocol):
    """What learns pairs in blocks and reads queries."""

    def learn(self, keys: Any, values: Any) -> Any:
        """Learn keys of shape (n, d) with values of shape (n, m)."""

    def read(self, queries: Any) -> AnyArray:
        """Read queries of shape (n, d)."""


RIVALS: dict[str, Callable[[int], Memory]] = {
    "exact moments, ridge": lambda _: AssociativeMemory(Ridge(strength=STRENGTH)),
    "recursive float32": lambda _: RecursiveLeastSquares(STRENGTH),
    "block average (paper)": lambda block: BlockAverageMemory(buffer_size=block, block_size=block),
}
"""Ways to learn one-hot classes block by block, made from the rows of a block."""


@dataclass(frozen=True)
class TaskResult:
    """What is known after a task.

    Attributes
    ----------
    classes : int
        Learned so far.
    accuracy, joint : float
        On test rows of the classes so far: learned task by task, and all at once from nothing.
    identical : bool
        Every probability of the two is the same float.
    rivals : dict of str to float
        Accuracy of `RIVALS` on the same stream.
    """

    classes: int
    accuracy: float
    joint: float
    identical: bool
    rivals: dict[str, float]


def class_tasks(labels: AnyArray, n_tasks: int, seed: int = 0) -> list[AnyArray]:
    """Deal classes, in random order, into tasks of (almost) equal size.

    Raises
    ------
    ValueError
        There are fewer classes than tasks, or the first task would hold one class alone.
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
    """Learn classes task by task, as analytic continual learning does.

    Parameters
    ----------
    train, test : pair of ndarray
        Rows of shape (n, d) and labels of shape (n,).
    n_tasks : int
    block : int
        Rows that rivals learn together.
    seed : int
        Of the order of classes.

    Yields
    ------
    TaskResult
        After each task.

    Raises
    ------
    ValueError
        As `class_tasks`.
    """
    classes = np.unique(train[1])
    ours = FaastClassifier()
    rivals = {name: make(block) for name, make in RIVALS.items()}
    known = np.empty(0, dtype=classes.dtype)
    for arriving in class_tasks(train[1], n_tasks, seed):
        known = np.concatenate([known, arriving])
        rows, labels = _of_classes(train, arriving)
        ours.partial_fit(rows, labels)
        joint = FaastClassifier().fit(*_of_classes(train, known))
        asked, answers = _of_classes(test, known)
        found, expected = ours.predict_proba(asked), joint.predict_proba(asked)
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
                name: _accuracy(memory.read(asked), classes, answers)
                for name, memory in rivals.items()
            },
        )


def arrange(labels: AnyArray, order: Order, seed: int = 0) -> IntArray:
    """Return positions of rows in an order: as given, shuffled, sorted by class, or reversed."""
    positions = np.arange(len(labels))
    if order == "shuffled":
        return np.random.default_rng(seed).permutation(positions)
    if order == "sorted":
        return np.argsort(labels, kind="stable")
    return positions[::-1] if order == "reversed" else positions


def streamed(train: Labelled, order: Order, batch: int, seed: int = 0) -> FaastClassifier:
    """Learn rows in an order, batch by batch."""
    positions = arrange(train[1], order, seed)
    model = FaastClassifier()
    for part in gen_batches(len(positions), batch):
        model.partial_fit(train[0][positions[part]], train[1][positions[part]])
    return model


def _of_classes(rows: Labelled, classes: AnyArray) -> Labelled:
    kept = np.isin(rows[1], classes)
    return rows[0][kept], rows[1][kept]


def _accuracy(scores: FloatArray, classes: AnyArray, answers: AnyArray) -> float:
    return float((classes[scores.argmax(axis=1)] == answers).mean())
