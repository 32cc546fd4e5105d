"""When to answer: a promised precision, a wanted coverage, none of these, and blank rows."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import faast
from faast import FaastClassifier, Ridge, TextClassifier
from faast.estimators.answers import LeftOutAnswers
from faast.solvers.calibration import judge
from tests.estimators.test_confidence import digits, split
from tests.strategies import orders_and_cuts, problems

__all__ = ["digits"]  # the fixture


def left_out(probability, right, weights=None):
    """Answers of two classes of which the more probable one has this probability."""
    logits = np.log(np.stack([1.0 - probability, probability], axis=1))
    judged = judge(logits, right.astype(int))
    return LeftOutAnswers.from_judged(judged, np.ones(len(right)) if weights is None else weights)


def draw(random, n):
    """Calibrated answers: a label of probability p is right in a share p of cases."""
    probability = random.uniform(0.5, 1.0, n)
    return left_out(probability, random.random(n) < probability)


def test_the_promise_is_kept_as_often_as_promised_and_wastes_little():
    random = np.random.default_rng(0)
    thresholds = np.array([draw(random, 2000).promise(0.9, 0.9).probability for _ in range(300)])
    kept = (1.0 + thresholds) / 2.0 >= 0.9  # the mean of p above a threshold
    assert kept.mean() > 0.9 - 2 * np.sqrt(0.1 * 0.9 / 300)
    assert np.median(thresholds) < 0.86  # 0.8 would just do


@given(st.integers(0, 2**32 - 1), st.integers(50, 400), st.sampled_from([0.7, 0.9, 0.97]))
@settings(deadline=None, max_examples=30)
def test_thresholds_answer_as_many_rows_as_they_say(seed, n, precision):
    random = np.random.default_rng(seed)
    probability = np.round(random.uniform(0.51, 0.99, n), 2)  # many are equal
    right = random.random(n) < probability
    answers = left_out(probability, right)
    found = [answers.cover(0.5, 0.9)]
    with contextlib.suppress(ValueError):  # it may be out of reach
        found.append(answers.promise(precision, 0.9))
        assert found[-1].precision_interval[0] >= precision
    for threshold in found:
        given = probability >= threshold.probability - 1e-12
        assert threshold.coverage == pytest.approx(given.mean())
        assert threshold.precision == pytest.approx(right[given].mean())
        low, high = threshold.precision_interval
        assert low <= threshold.precision <= high
        low, high = threshold.coverage_interval
        assert low <= threshold.coverage <= high
    assert found[0].coverage >= 0.5


def test_weights_count_as_repetitions():
    random = np.random.default_rng(0)
    probability = random.uniform(0.5, 1.0, 200)
    right = random.random(200) < probability
    twice = left_out(np.repeat(probability, 2), np.repeat(right, 2))
    weighted = left_out(probability, right, np.full(200, 2.0))
    assert twice.promise(0.8, 0.9) == weighted.promise(0.8, 0.9)


def test_the_message_names_a_precision_that_can_be_promised():
    random = np.random.default_rng(1)
    answers = draw(random, 300)
    with pytest.raises(
        ValueError, match=r"no threshold can promise a precision of 0\.99"
    ) as raised:
        answers.promise(0.99, 0.9)
    reachable = float(str(raised.value).split(" can be reached")[0].split()[-1])
    assert answers.promise(reachable, 0.9).precision > reachable
    hopeless = left_out(np.full(20, 0.9), np.zeros(20))
    with pytest.raises(ValueError, match="no precision can be promised from 20 left-out rows"):
        hopeless.promise(0.5, 0.9)


@given(st.data())
@settings(deadline=None, max_examples=20)
def test_order_and_batches_do_not_matter(data):
    rows, labels = data.draw(problems())
    whole, streamed = FaastClassifier(novelty=True).fit(rows, labels), FaastClassifier(novelty=True)
    for batch in data.draw(orders_and_cuts(len(rows))):
        streamed.partial_fit(rows[batch], labels[batch])
    assert whole.answer_threshold(coverage=0.6) == streamed.answer_threshold(coverage=0.6)
    assert np.array_equal(whole.novelty_p_value(rows), streamed.novelty_p_value(rows))


def test_promised_precision_holds_on_new_rows_and_rows_without_answer_are_masked(digits):
    rows, labels, queries, answers = split(digits, 600)
    model = FaastClassifier().fit(rows, labels)
    threshold = model.answer_threshold(0.98)
    sure = model.predict_or_abstain(queries, 0.98)
    assert np.array_equal(sure.data, model.predict(queries))
    top = model.predict_proba(queries).max(axis=1)
    assert np.array_equal(~sure.mask, top >= threshold.probability)
    right = (sure.data == answers)[~sure.mask]
    assert right.mean() > 0.98 > model.score(queries, answers)
    assert abs((~sure.mask).mean() - threshold.coverage) < 0.07
    most = model.predict_or_abstain(queries, coverage=0.8)
    assert abs((~most.mask).mean() - 0.8) < 0.05


def test_none_of_these_has_the_false_alarms_that_were_asked_for(digits):
    rows, labels, queries, answers = split(digits, 800)
    known = labels != 9
    model = FaastClassifier(novelty=True).fit(rows[known], labels[known])
    given = model.predict_or_abstain(queries, none_of_these=0.05)
    old, new = given.mask[answers != 9], given.mask[answers == 9]
    assert 0.02 < old.mean() < 0.09
    assert new.mean() > 0.3
    p_values = model.novelty_p_value(queries)
    assert np.array_equal(given.mask, p_values <= 0.05)
    falling = p_values[np.argsort(model.novelty_score(queries))]
    assert np.all(np.diff(falling) <= 0)
    assert np.all((p_values > 0) & (p_values <= 1))


def test_files_and_compact_copies_answer_alike(digits, tmp_path):
    rows, labels, queries, _ = split(digits, 400)
    model = FaastClassifier(novelty=True).fit(rows, labels)
    expected = model.predict_or_abstain(queries, 0.95, none_of_these=0.05)
    model.save(tmp_path / "model")
    model.compact().save(tmp_path / "compact")
    for name in ("model", "compact"):
        found = faast.load(tmp_path / name)
        again = found.predict_or_abstain(queries, 0.95, none_of_these=0.05)
        assert np.array_equal(again.mask, expected.mask)
        assert found.answer_threshold(0.95) == model.answer_threshold(0.95)
        assert np.array_equal(found.novelty_p_value(queries), model.novelty_p_value(queries))


def test_what_cannot_be_answered_is_refused(digits):
    rows, labels, *_ = split(digits, 300)
    model = FaastClassifier().fit(rows, labels)
    for arguments, message in (
        ({}, "say when to abstain"),
        ({"precision": 95}, "precision must be a number between 0 and 1"),
        ({"coverage": 0.0}, "coverage must be a number between 0 and 1"),
        ({"coverage": True}, "coverage must be a number between 0 and 1, got True"),
        ({"coverage": 0.9, "confidence": True}, "confidence must be a number between 0 and 1"),
        ({"precision": 0.9, "coverage": 0.9}, "either the wanted precision or"),
        ({"precision": 0.9, "confidence": 1.0}, "confidence must be"),
        ({"none_of_these": 2.0}, "none_of_these must be"),
        ({"none_of_these": 0.05}, "novelty=True"),
    ):
        with pytest.raises(ValueError, match=message):
            model.predict_or_abstain(rows, **arguments)
    indicators = FaastClassifier().fit(rows, np.eye(10, dtype=int)[labels])
    unkept = FaastClassifier(Ridge(0.1), selection_rows=0).fit(rows, labels)
    for one in (indicators, unkept):
        with pytest.raises(ValueError, match="one label each"):
            one.answer_threshold(0.9)


def test_shares_may_be_numpy_scalars_and_coverage_may_be_all(digits):
    rows, labels, queries, _ = split(digits, 300)
    model = FaastClassifier(novelty=True).fit(rows, labels)
    half = np.float32(0.5)
    assert np.array_equal(model.predict_set(queries, half), model.predict_set(queries, 0.5))
    found = model.answer_threshold(coverage=half, confidence=half)
    assert found == model.answer_threshold(coverage=0.5, confidence=0.5)
    found = model.predict_or_abstain(queries, half, none_of_these=half)
    expected = model.predict_or_abstain(queries, 0.5, none_of_these=0.5)
    assert np.array_equal(found.mask, expected.mask)
    assert model.answer_threshold(coverage=1) == model.answer_threshold(coverage=1.0)


# -- blank rows ----------------------------------------------------------------------------------

TEXTS = ["my card is lost", "the card never came", "where is my card", "top up failed"]
LABELS = ["card", "card", "card", "top_up"]


@pytest.mark.parametrize("blank", ["", "  \n\t", "\u200b", "\u00a0"])
@pytest.mark.parametrize("settings", [{}, {"class_weight": "balanced"}])
def test_a_blank_text_gets_the_shares_of_the_classes(blank, settings):
    model = TextClassifier(**settings).fit(TEXTS, LABELS)
    expected = [0.5, 0.5] if settings else [4 / 6, 2 / 6]
    for one in (model, model.compact(), model.on_features()):
        rows = [blank, "a card"]
        asked = model.encode(rows) if one.modality == "features" else rows
        np.testing.assert_allclose(one.predict_proba(asked)[0], expected)
        assert one.is_blank(asked).tolist() == [True, False]
    assert model.predict_or_abstain([blank, "a card"], coverage=1.0).mask.tolist() == [True, False]


def test_a_row_without_a_learned_feature_is_blank_but_a_table_has_no_blank_rows():
    unit = FaastClassifier().fit(np.eye(4)[[0, 0, 0, 1]], ["a", "a", "a", "b"])
    assert unit.is_blank([[0, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]).tolist() == [True, False, True]
    np.testing.assert_allclose(unit.predict_proba([[0, 0, 1, 0]])[0], [4 / 6, 2 / 6])
    table = FaastClassifier().fit([[0.0], [0.0], [1.0], [3.0]], [0, 0, 1, 1])
    assert not table.is_blank([[0.0]]).any()
    assert table.predict([[0.0]]).tolist() == [0]


def test_classes_known_by_name_alone_share_a_blank_text():
    model = TextClassifier(labels=["card", "top up"])
    np.testing.assert_allclose(model.predict_proba([""]), [[0.5, 0.5]])
    assert model.is_blank(["", "card"]).tolist() == [True, False]


# -- classes of one row --------------------------------------------------------------------------


def draw_rows(rng, means, labels):
    return means[labels] + rng.standard_normal((len(labels), means.shape[1]))


@pytest.mark.parametrize("second", [0, 5, 20, 60])
def test_the_only_row_of_a_class_vouches_for_nothing(rng, second):
    """The model without it would not know its class, so that it cannot be right when left out."""
    means = rng.standard_normal((60, 200)) / 2
    labels = np.concatenate([np.arange(60), np.arange(second)])
    model = FaastClassifier().fit(draw_rows(rng, means, labels), labels)
    asked = rng.integers(0, 60, 3000)
    rows = draw_rows(rng, means, asked)
    if second < 60:  # too few of the left-out rows are right
        with pytest.raises(ValueError, match="learn more rows"):
            model.answer_threshold(precision=0.7)
    else:
        answers = model.predict_or_abstain(rows, precision=0.7)
        assert (answers == asked).sum() >= 0.7 * answers.count()
    covered = model.predict_set(rows, 0.9)[np.arange(len(rows)), asked]
    assert covered.mean() >= 0.85


def test_a_class_of_one_row_that_has_a_name_may_be_predicted_without_it():
    model = TextClassifier(labels=["my card is lost", "top up failed"])
    model.fit(["the card is lost", "my top up failed"], ["my card is lost", "top up failed"])
    assert model.answer_threshold(coverage=1.0).precision == 1.0
