"""Few-shot episodes: many small supports, each asked about a few rows a class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from faast._utils.arrays import AnyArray, IntArray
from faast.evaluation.measure import Embeddings, Labelled, build, measure, over_rows, warm_up


@dataclass(frozen=True)
class Episodes:
    """How episodes are drawn.

    Parameters
    ----------
    count : int
        600 in the paper (FAAST, arXiv 2605.04651, image experiments).
    ways : int, optional
        Classes an episode; all of them by default, as in the paper.
    shots, queries : int
        Rows a class to learn and to ask.
    seed : int
        Episode i depends on the seed and i alone.
    """

    count: int = 600
    ways: int | None = None
    shots: int = 5
    queries: int = 20
    seed: int = 0

    def draw(self, train: AnyArray, test: AnyArray) -> Iterator[tuple[IntArray, IntArray]]:
        """Draw episodes without replacement inside each.

        Parameters
        ----------
        train, test : ndarray of shape (n,)
            Labels of the rows that supports and queries come from.

        Yields
        ------
        ndarray, ndarray
            Positions in `train` and in `test`.

        Raises
        ------
        ValueError
            A class has too few rows, or there are fewer classes than ways.
        """
        classes = np.unique(train)
        ways = len(classes) if self.ways is None else self.ways
        if not 2 <= ways <= len(classes):
            raise ValueError(
                f"ways must be in 2 to {len(classes)}, the classes there are; got {ways}"
            )
        _check_counts(train, classes, self.shots, "shots")
        _check_counts(test, classes, self.queries, "queries")
        for number in range(self.count):
            rng = np.random.default_rng([self.seed, number])
            chosen = rng.permutation(classes)[:ways]
            yield (
                of_each_class(train, chosen, self.shots, rng),
                of_each_class(test, chosen, self.queries, rng),
            )


def of_each_class(
    labels: AnyArray, classes: AnyArray, count: int, rng: np.random.Generator
) -> IntArray:
    """Draw rows of each class without replacement.

    Parameters
    ----------
    labels : ndarray of shape (n,)
    classes : ndarray of shape (C,)
    count : int
        A class; all rows of a class that has fewer.
    rng : Generator

    Returns
    -------
    ndarray
        Positions in `labels`, class after class.
    """
    order = rng.permutation(len(labels))
    shuffled = labels[order]
    return np.concatenate([order[shuffled == label][:count] for label in classes])


def _check_counts(labels: AnyArray, classes: AnyArray, wanted: int, what: str) -> None:
    if wanted < 1:
        raise ValueError(f"{what} must be at least 1, got {wanted}")
    for label in classes.tolist():
        found = np.count_nonzero(labels == label)
        if found < wanted:
            raise ValueError(
                f"class {label!r} has {found} rows, {wanted} {what} a class were asked for; "
                f"lower {what} or give more rows"
            )


@dataclass
class EpisodeResult:
    """What one method did, an entry an episode.

    Attributes
    ----------
    accuracies, seconds : list of float
        Shares in 0 to 1; processor time to adapt.
    """

    accuracies: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def interval(self) -> tuple[float, float]:
        """Mean accuracy, and 1.96 std / √episodes."""
        return over_rows(np.array(self.accuracies, dtype=np.float64))


def few_shot(
    train: Labelled,
    test: Labelled,
    methods: Sequence[str],
    episodes: Episodes,
    embeddings: Embeddings = None,
) -> Iterator[dict[str, EpisodeResult]]:
    """Run every method on the same episodes.

    Parameters
    ----------
    train, test : pair of ndarray
        Rows of shape (n, d) and labels of shape (n,) that supports and queries are drawn from.
    methods : sequence of str
        `OURS` or keys of `BASELINES`.
    episodes : Episodes
    embeddings : mapping of label to vector, optional
        Given to methods that take a prior.

    Yields
    ------
    dict of str to EpisodeResult
        What is known after each episode: the same object, which grows.

    Raises
    ------
    ValueError
        As `Episodes.draw`.
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


def halves(labels: AnyArray, seed: int = 42) -> tuple[IntArray, IntArray]:
    """Halve each class into rows to learn and rows to ask (the paper's mini-ImageNet split).

    Parameters
    ----------
    labels : ndarray of shape (n,)
    seed : int

    Returns
    -------
    ndarray, ndarray
        Sorted positions; a class of odd size gives the asked half one row more.
    """
    rng = np.random.default_rng(seed)
    learned: list[int] = []
    for label in np.unique(labels):
        found = rng.permutation(np.flatnonzero(labels == label))
        learned += found[: len(found) // 2].tolist()
    first = np.sort(np.array(learned, dtype=np.intp))
    return first, np.setdiff1d(np.arange(len(labels)), first)
