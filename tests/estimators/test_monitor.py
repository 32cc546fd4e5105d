"""Streams are watched: false alarms are as rare as stated, and changes are found."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from faast import FaastClassifier, TextClassifier
from faast.estimators import DriftMonitor
from faast.estimators.monitor import _bet_on_novelty, _bet_on_shares, _Martingales


@pytest.fixture(scope="module")
def digits():
    rows, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(rows))
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows[order], labels[order]


@pytest.fixture(scope="module")
def model(digits):
    rows, labels = digits
    return FaastClassifier(novelty=True).fit(rows[:600], labels[:600])


# -- the bound -----------------------------------------------------------------------------------


def test_capital_rarely_grows_where_ranks_are_uniform():
    n_streams, rng = 2000, np.random.default_rng(0)
    novelty, shares = _Martingales(n_streams, 4), _Martingales(n_streams, 5)
    learned = np.tile([0.05, 0.2, 0.3, 0.5], n_streams // 4)
    highest = np.zeros((2, n_streams))
    for _ in range(300):
        ranks = rng.random(n_streams)
        novelty.play(_bet_on_novelty(ranks))
        shares.play(_bet_on_shares(ranks, learned))
        highest = np.maximum(highest, [novelty.log_capital, shares.log_capital])
    for limit in (5, 10, 20, 100):
        assert np.all((highest >= np.log(limit)).mean(axis=1) <= 1 / limit)


def test_every_bet_is_fair():
    ranks = (np.arange(200_000) + 0.5) / 200_000
    np.testing.assert_allclose(_bet_on_novelty(ranks).mean(axis=0), 1.0, atol=0.01)
    for share in (0.01, 0.3, 0.95):
        factors = _bet_on_shares(ranks, np.full(len(ranks), share))
        np.testing.assert_allclose(factors.mean(axis=0), 1.0, atol=1e-3)
        assert np.all(factors > 0)


@pytest.mark.parametrize("novelty", [True, False])
def test_false_alarms_are_as_rare_as_stated(digits, novelty):
    rows, labels = digits
    alarms = 0
    for seed in range(8):
        order = np.random.default_rng(seed).permutation(len(rows))[:500]
        learned, stream = order[:200], order[200:]
        model = FaastClassifier(novelty=novelty).fit(rows[learned], labels[learned])
        monitor = DriftMonitor(model, alarm_rate=0.1)
        monitor.watch(rows[stream])
        alarms += monitor.alarm is not None
    assert alarms <= 2  # at most 0.8 expected; more than 2 have probability 0.04 at the bound


# -- changes -------------------------------------------------------------------------------------


def test_rows_of_another_domain_raise_the_alarm_soon(digits, model):
    rows, _ = digits
    monitor = DriftMonitor(model, alarm_rate=0.001)
    monitor.watch(rows[600:900])
    assert monitor.alarm is None
    assert monitor.evidence.max() < 1
    shuffled = rows[900:1000, np.random.default_rng(0).permutation(64)]
    monitor.watch(shuffled)
    assert monitor.alarm.what == "novelty"
    assert monitor.alarm.label is None
    assert 300 <= monitor.alarm.row < 320
    assert monitor.evidence[monitor.alarm.row] >= 1
    assert monitor.evidence[: monitor.alarm.row].max() < 1
    assert set(monitor.suggest(5).rows.tolist()) & set(range(300, 400))


def test_a_class_that_comes_more_often_is_named(digits, model):
    rows, labels = digits
    monitor = DriftMonitor(model)
    rest = np.arange(600, len(rows))
    threes = rest[labels[rest] == 3]
    others = rest[labels[rest] != 3][: len(threes)]
    mixed = np.random.default_rng(0).permutation(np.concatenate([threes, others]))
    monitor.watch(rows[mixed])
    assert monitor.alarm.what == "class"
    assert monitor.alarm.label == 3
    share = next(share for share in monitor.shares if share.label == 3)
    assert share.learned < 0.15 < 0.4 < share.watched


def test_what_lasts_becomes_usual(digits, model):
    rows, _ = digits
    monitor = DriftMonitor(model)
    monitor.watch(rows[600:1797, ::-1])
    first, last = monitor.evidence[200] - monitor.evidence[0], np.diff(monitor.evidence[[-201, -1]])
    assert monitor.alarm is not None
    assert first > 2 * last


def test_batches_do_not_matter_and_the_model_may_go_on_learning(digits):
    rows, labels = digits
    model = FaastClassifier(novelty=True).fit(rows[:300], labels[:300])
    whole, pieces = DriftMonitor(model), DriftMonitor(model)
    whole.watch(rows[300:500])
    for start in range(300, 500, 37):
        pieces.watch(rows[start : min(start + 37, 500)])
        model.partial_fit(rows[500:510], labels[500:510])
    np.testing.assert_allclose(pieces.evidence, whole.evidence, atol=1e-9)
    assert pieces.shares == whole.shares
    assert whole.n_rows == 200


def test_texts_are_watched():
    words = ["my card is lost", "no cash came out", "a bad exchange rate"]
    texts = [f"{word} {i}" for i in range(20) for word in words]
    model = TextClassifier("hashing").fit(texts, [0, 1, 2] * 20)
    monitor = DriftMonitor(model)
    monitor.watch(["zzz qqq"] * 40)
    assert monitor.alarm is not None


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, float("nan"), "0.1"])
def test_impossible_rates_are_refused(model, rate):
    with pytest.raises(ValueError, match="alarm_rate must be a number between 0 and 1"):
        DriftMonitor(model, rate)


def test_rows_that_do_not_fit_change_nothing(digits, model):
    monitor = DriftMonitor(model)
    for wrong in (np.ones((2, 63)), np.full((2, 64), np.inf)):
        with pytest.raises(ValueError, match=r"63|inf"):
            monitor.watch(wrong)
    monitor.watch(np.zeros((0, 64)))
    assert monitor.n_rows == 0
    with pytest.raises(ValueError, match="the pool is empty"):
        monitor.suggest()
    with pytest.raises(ValueError, match="single labels"):
        DriftMonitor(FaastClassifier().fit(digits[0][:50], np.eye(10, dtype=int)[digits[1][:50]]))
    with pytest.raises(ValueError, match="compacted"):
        DriftMonitor(model.compact())


def test_columns_in_another_order_are_refused_as_in_prediction(digits):
    pandas = pytest.importorskip("pandas")
    rows, labels = digits
    table = pandas.DataFrame(rows, columns=[f"pixel {i}" for i in range(64)])
    monitor = DriftMonitor(FaastClassifier().fit(table[:300], labels[:300]))
    monitor.watch(table[300:310])
    with pytest.raises(ValueError, match="feature names"):
        monitor.watch(table[310:320][table.columns[::-1]])
    assert monitor.n_rows == 10


def test_a_monitor_keeps_the_model_as_it_was(digits):
    rows, labels = digits
    model = FaastClassifier(novelty=True).fit(rows[:300], labels[:300])
    monitor = DriftMonitor(model)
    model.fit(np.hstack([rows[:300], rows[:300]]), labels[:300])
    monitor.watch(rows[300:320])
    assert monitor.n_rows == 20


def test_few_rows_of_many_columns_raise_no_alarm_by_novelty():
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(4):
        centres = 4 * rng.standard_normal((2, 400)) / 20
        labels = np.arange(600) % 2
        rows = centres[labels] + rng.standard_normal((600, 400))
        monitor = DriftMonitor(FaastClassifier(novelty=True).fit(rows[:100], labels[:100]), 0.01)
        monitor.watch(rows[100:])
        alarms += monitor.alarm is not None
    assert alarms == 0
