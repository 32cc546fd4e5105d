"""Watch a stream of rows for changes, with a bound on the rate of false alarms.

If a stream is like the learned rows, each row is as likely as any earlier one, learned or watched,
to have the k-th largest score of them all: the ranks are independent and uniform (Vovk et al.
2005). A test martingale bets against that. Its capital starts at 1, and while nothing changes the
probability that it ever reaches 1 / a is at most a, however long the stream (Ville 1939).
"""

from __future__ import annotations

import copy
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.estimators.left_out_errors import check_share
from faast.estimators.linear_classifier import probabilities
from faast.estimators.next_rows import Suggestions

if TYPE_CHECKING:  # the classifier is only asked
    from faast.estimators.curation import CuratedClassifier

SHARED = 0.01
"""Share of the capital that is spread over all bets after each row, so that late changes count."""

TIMES = (1.0, 0.25, 0.5, 2.0, 4.0)
"""How many times as often as before a class may come, for the bets on classes."""

SMALLEST = 1e-12


class Alarm(NamedTuple):
    """What has changed, and since when it is certain.

    Attributes
    ----------
    row : int
        Place in the stream of the row at which the alarm was raised; the change came before.
    what : {"novelty", "class"}
        Whether rows are unlike learned ones, or a class comes more or less often.
    label : hashable
        The class; None for novelty.
    """

    row: int
    what: str
    label: Hashable | None


class ClassShare(NamedTuple):
    """Share of answers with one class, for learned rows (each left out) and for the stream."""

    label: Hashable
    learned: float
    watched: float


class DriftMonitor:
    """Raises an alarm when a stream of rows is no longer like the rows that a model learned.

    It tests how novel rows are, and how often each class is the answer. The tests share the alarm
    rate: half of it is for novelty, the rest for the classes in equal parts.

    Parameters
    ----------
    classifier : FaastClassifier
        Novelty is its `novelty_score` if it was made with ``novelty=True`` and has learned as many
        rows as they have columns, otherwise the doubt -log max p: scores of fewer rows depend too
        much on each of them. The monitor keeps the model as it is now.
    alarm_rate : float
        In (0, 1): bound on the probability that a stream without any change ever raises an alarm.

    Raises
    ------
    ValueError
        If the rate is out of range, or the model has no leave-one-out scores (see `suspects`).

    Notes
    -----
    The bound holds for rows in random order. It is exact for scores of a model that learned other
    rows than it is compared with; here learned rows are scored by the model without them.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.utils import shuffle
    >>> from faast import FaastClassifier
    >>> from faast.estimators import DriftMonitor
    >>> X, y = shuffle(*load_digits(return_X_y=True), random_state=0)
    >>> model = FaastClassifier(novelty=True).fit(X[:1000], y[:1000])
    >>> monitor = DriftMonitor(model)
    >>> monitor.watch(X[1000:1400])
    >>> monitor.alarm is None
    True
    >>> monitor.watch(16 - X[1400:1500])  # white on black
    >>> monitor.alarm.what, monitor.alarm.row < 450
    ('novelty', True)
    """

    def __init__(self, classifier: CuratedClassifier, alarm_rate: float = 0.01) -> None:
        alarm_rate = check_share(alarm_rate, "alarm_rate")
        left_out = classifier.label_check().left_out
        statistics = left_out.memory.statistics
        assert statistics is not None
        copies = np.maximum(np.rint(statistics.rows.weights), 1.0).astype(np.int64)
        learned = np.repeat(left_out.sampled, copies, axis=0)
        self.classes: AnyArray = left_out.memory.classes
        self.alarm_rate = alarm_rate
        self.alarm: Alarm | None = None
        self.n_rows = 0
        self._features = copy.copy(classifier)._features
        self._head = left_out.head
        enough = statistics.moments.count >= statistics.moments.n_features
        self._scorer = self._head.novelty if enough else None
        self._scores = array("d", sorted(self._learned_scores(learned)))
        self._n_learned = len(learned)
        self._learned = np.bincount(learned.argmax(axis=1), minlength=len(self.classes))
        self._watched = np.zeros(len(self.classes), dtype=np.int64)
        self._novelty, self._shares = (
            _Martingales(1, 4),
            _Martingales(len(self.classes), len(TIMES)),
        )
        self._limit = np.log(2.0 / alarm_rate), np.log(2.0 * len(self.classes) / alarm_rate)
        self._random = np.random.default_rng(0)
        self._chooser = classifier.row_chooser()
        self._evidence = array("d")

    def watch(self, X: Any) -> None:
        """Watch more rows of the stream, in their order; then read `alarm`.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows
        """
        X = self._features(X)
        logits = self._head.score(X) / self._head.temperature
        scores = self._watched_scores(X, logits)
        for score, answer in zip(scores.tolist(), logits.argmax(axis=1).tolist(), strict=True):
            self._take(score, answer)
        self._chooser.add(X)

    def suggest(self, n: int = 20) -> Suggestions:
        """Suggest rows of the stream to label, by their places; see `FaastClassifier.suggest`."""
        return self._chooser.choose(n)

    @property
    def evidence(self) -> FloatArray:
        """How close each watched row brought an alarm, (n,): 1 and more is one.

        The logarithm of the capital over that of its limit, of the test that is closest.
        """
        return np.array(self._evidence)

    @property
    def shares(self) -> list[ClassShare]:
        """Shares of the classes among the answers."""
        learned, watched = (
            counts / max(counts.sum(), 1) for counts in (self._learned, self._watched)
        )
        rows = zip(self.classes.tolist(), learned.tolist(), watched.tolist(), strict=True)
        return [ClassShare(*row) for row in rows]

    def _learned_scores(self, learned: FloatArray) -> list[float]:
        if self._scorer is None:
            return (-np.log(np.maximum(learned.max(axis=1), SMALLEST))).tolist()
        weights = -np.diff(self._scorer.total.beyond)
        copies = np.maximum(np.rint(weights), 1.0).astype(np.int64)
        return np.repeat(self._scorer.total.values, copies).tolist()

    def _watched_scores(self, X: AnyArray, logits: FloatArray) -> FloatArray:
        if self._scorer is not None:
            return self._scorer.score(X, logits)
        proba = probabilities(self._head, logits * self._head.temperature)
        return -np.log(np.maximum(proba.max(axis=1), SMALLEST))

    def _take(self, score: float, answer: int) -> None:
        """Count one row, and raise the alarm if it is the row that makes a change certain."""
        theta, n = self._random.random(), len(self._scores)
        above = n - bisect_right(self._scores, score)
        equal = n - above - bisect_left(self._scores, score)
        self._novelty.play(_bet_on_novelty(np.array([(above + theta * (equal + 1)) / (n + 1)])))
        insort(self._scores, score)
        seen, total = self._learned + self._watched, self._n_learned + self.n_rows
        rank = (seen + theta * (total - seen + 1)) / (total + 1)
        rank[answer] = theta * (seen[answer] + 1) / (total + 1)
        self._shares.play(_bet_on_shares(rank, (seen + 1) / (total + 2)))
        self._watched[answer] += 1
        self.n_rows += 1
        novelty = self._novelty.log_capital[0] / self._limit[0]
        worst = int(self._shares.log_capital.argmax())
        share = self._shares.log_capital[worst] / self._limit[1]
        self._evidence.append(max(novelty, share, 0.0))
        if self.alarm is None and max(novelty, share) >= 1.0:
            is_novel = novelty >= share
            label = None if is_novel else self.classes.tolist()[worst]
            self.alarm = Alarm(self.n_rows - 1, "novelty" if is_novel else "class", label)


class _Martingales:
    """Test martingales, each of which spreads its capital over several bets.

    After each row a share of the capital moves evenly to all bets (Herbster & Warmuth 1998), which
    keeps it a martingale that finds changes however late.

    Parameters
    ----------
    n : int
        Tests.
    n_bets : int
    """

    def __init__(self, n: int, n_bets: int) -> None:
        self.log_capital: FloatArray = np.zeros(n)
        self._stakes = np.full((n, n_bets), 1.0 / n_bets)

    def play(self, factors: FloatArray) -> None:
        """Multiply the stake on each bet by its factor, of mean 1 if nothing changes: (n, bets)."""
        stakes = self._stakes * factors
        gain = stakes.sum(axis=1, keepdims=True)
        self.log_capital = self.log_capital + np.log(gain[:, 0])
        self._stakes = (1.0 - SHARED) * stakes / gain + SHARED / stakes.shape[1]


def _bet_on_novelty(ranks: FloatArray) -> FloatArray:
    """Return factors (n, 4) of bets on nothing, on very small ranks, small ones and large ones."""
    p = np.maximum(ranks, SMALLEST)
    return np.stack([np.ones(len(p)), 0.5 / np.sqrt(p), 1.5 - p, 0.5 + p], axis=1)


def _bet_on_shares(ranks: FloatArray, shares: FloatArray) -> FloatArray:
    """Return factors (C, bets) of bets that classes come `TIMES` as often as their share so far.

    Ranks below the share are those of the class, so that such a bet pays r there and
    (1 - r share) / (1 - share) elsewhere.
    """
    s = shares[:, None]
    r = np.minimum(np.array(TIMES), 0.9 / s)
    return np.where(ranks[:, None] < s, r, (1.0 - r * s) / (1.0 - s))
