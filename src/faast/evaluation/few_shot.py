"""Few-shot episodes: many small supports, each with queries of the same classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from faast._utils.arrays import AnyArray, IntArray
from faast.evaluation.measure import Embeddings, Labelled, build, measure, warm_up
from faast.evaluation.metrics import mean_and_interval


@dataclass(frozen=True)
class Episodes:
    """How episodes are drawn.

    Attributes
    ----------
    count : int
        Number of episodes; 600 in the paper (FAAST, arXiv:2605.04651, image experiments).
    ways : int, optional
        Classes per episode; all classes by default, as in the paper.
    shots, queries : int
        Support rows and query rows per class.
    seed : int
        Episode i depends only on `seed` and i.
    """

    count: int = 600
    ways: int | None = None
    shots: int = 5
    queries: int = 20
    seed: int = 0

    def draw(self, train: AnyArray, test: AnyArray) -> Iterator[tuple[IntArray, IntArray]]:
        """Draw the rows of each episode, without replacement within an episode.

        Parameters
        ----------
        train, test : ndarray of shape (n,)
            Labels of the rows to draw supports and queries from.

        Yields
        ------
        support, queries : ndarray of int
            Positions in `train` and in `test`.

        Raises
        ------
        ValueError
            If a class has too few rows, or there are fewer classes than ways.
        """
        classes = np.unique(train)
        ways = len(classes) if self.ways is None else self.ways
        if not 2 <= ways <= len(classes):
            raise ValueError(
                f"ways must be in 2 to {len(classes)}, the number of classes; got {ways}"
            )
        _check_counts(train, classes, self.shots, "shots")
        _check_counts(test, classes, self.queries, "queries")
        for number in range(self.count):
            rng = np.random.default_rng([self.seed, number])
            chosen = rng.permutation(classes)[:ways]
            yield (
                draw_per_class(train, chosen, self.shots, rng),
                draw_per_class(test, chosen, self.queries, rng),
            )


def draw_per_class(
    labels: AnyArray, classes: AnyArray, count: int, rng: np.random.Generator
) -> IntArray:
    """Draw rows of each class without replacement.

    Parameters
    ----------
    labels : ndarray of shape (n,)
    classes : ndarray of shape (C,)
    count : int
        Rows per class; a class with fewer gives all its rows.
    rng : Generator

    Returns
    -------
    ndarray of int
        Positions in `labels`, class after class.
    """
    order = rng.permutation(len(labels))
    shuffled = labels[order]
    return np.concatenate([order[shuffled == label][:count] for label in classes])


def _check_counts(labels: AnyArray, classes: AnyArray, wanted: int, name: str) -> None:
    if wanted < 1:
        raise ValueError(f"{name} must be at least 1, got {wanted}")
    for label in classes.tolist():
        found = np.count_nonzero(labels == label)
        if found < wanted:
            raise ValueError(
                f"class {label!r} has {found} rows, fewer than {wanted} {name} per class; "
                f"lower {name} or give more rows"
            )


@dataclass
class EpisodeResult:
    """Results of one method, one entry per episode.

    Attributes
    ----------
    accuracies : list of float
        Share of queries with the right label, 0 to 1.
    seconds : list of float
        Processor time to learn the support.
    """

    accuracies: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def interval(self) -> tuple[float, float]:
        """Mean accuracy and half its 95% interval; see `mean_and_interval`."""
        return mean_and_interval(np.array(self.accuracies, dtype=np.float64))


def few_shot(
    train: Labelled,
    test: Labelled,
    methods: Sequence[str],
    episodes: Episodes,
    embeddings: Embeddings = None,
) -> Iterator[dict[str, EpisodeResult]]:
    """Measure every method on the same episodes.

    Parameters
    ----------
    train, test : pair of ndarray
        Rows of shape (n, d) and labels of shape (n,) to draw supports and queries from.
    methods : sequence of str
        `OURS` or keys of `BASELINES`.
    episodes : Episodes
    embeddings : mapping of label to ndarray of shape (d,), optional
        Class embeddings for the methods that take them.

    Yields
    ------
    dict of str to EpisodeResult
        After each episode, the results so far: always the same object, which grows.

    Raises
    ------
    ValueError
        See `Episodes.draw`.
    """
    found = {method: EpisodeResult() for method in methods}
    warm_up(methods)
    for support, queries in episodes.draw(train[1], test[1]):
        learned = train[0][support], train[1][support]
        asked = test[0][queries], test[1][queries]
        present = set(np.unique(learned[1]).tolist())
        prior = embeddings and {key: row for key, row in embeddings.items() if key in present}
        for method, result in found.items():
            done = measure(partial(build, method, prior), learned, asked)
            result.accuracies.append(done.accuracy)
            result.seconds.append(done.seconds)
        yield found


def halve_classes(labels: AnyArray, seed: int = 42) -> tuple[IntArray, IntArray]:
    """Split each class at random into two halves, the paper's split of mini-ImageNet.

    Parameters
    ----------
    labels : ndarray of shape (n,)
    seed : int

    Returns
    -------
    train, test : ndarray of int
        Sorted positions; of a class with an odd number of rows, the second half gets one more.
    """
    rng = np.random.default_rng(seed)
    learned: list[int] = []
    for label in np.unique(labels):
        found = rng.permutation(np.flatnonzero(labels == label))
        learned += found[: len(found) // 2].tolist()
    first = np.sort(np.array(learned, dtype=np.intp))
    return first, np.setdiff1d(np.arange(len(labels)), first)
