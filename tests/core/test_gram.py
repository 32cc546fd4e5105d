"""The Gram matrix is the same whether rows wait or are summed at once."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import faast
from faast import FaastClassifier, TextClassifier
from faast.core.gram import Gram, WaitingRows
from faast.core.moments import Moments

WIDTH = 4
ROWS = st.lists(
    st.tuples(
        st.lists(st.integers(-(2**27), 2**27), min_size=WIDTH, max_size=WIDTH),
        st.sampled_from([1, 1, 1, 2, 3, 2**20]),
        st.booleans(),
    ),
    max_size=8,
)


def gram_of(key, weight):
    keys = np.array([key], dtype=float)
    weights = None if weight == 1 else np.array([float(weight)])
    return Gram(WIDTH, True, None, (WaitingRows.of(keys, weights, np.abs(keys).max()),))


@given(ROWS)
def test_rows_that_wait_are_summed_exactly(rows):
    total, expected = Gram(WIDTH, True), np.zeros((WIDTH, WIDTH), dtype=object)
    for key, weight, adds in rows:
        total = total + gram_of(key, weight) if adds else total - gram_of(key, weight)
        exact = np.array(key, dtype=object)
        expected += (1 if adds else -1) * weight * np.outer(exact, exact)
    wrapped = (expected + 2**63) % 2**64 - 2**63  # as 64-bit integers, which sums stay within
    assert total.lower.dtype == np.int64
    assert np.array_equal(total.lower, np.tril(wrapped.astype(np.int64)))


def test_rows_added_and_removed_again_and_again_take_no_more_room():
    heavy = gram_of([2**27] * WIDTH, 2**7)
    total = gram_of([1] * WIDTH, 1)
    for _ in range(50):
        total = total + heavy - heavy
        assert total.nbytes <= 1000
    assert np.array_equal(total.lower, np.tril(np.ones((WIDTH, WIDTH))))


def test_a_matrix_that_was_read_is_added_as_such():
    left, right = gram_of([1, 2, 3, 4], 1), gram_of([4, 3, 2, 1], 3)
    unread = (left + right).lower
    _ = left.lower
    assert (left + right).summed is not None
    assert np.array_equal((left + right).lower, unread)
    assert np.array_equal((right - left).lower, right.lower - left.lower)


@pytest.mark.parametrize("n_rows", [1, 5, 6, 7, 40])
def test_moments_do_not_depend_on_which_rows_wait(n_rows):
    random = np.random.default_rng(0)
    keys, values = random.normal(size=(n_rows, 6)) / 3, np.ones((n_rows, 1))
    weights = np.where(np.arange(n_rows) % 3, 1.0, 2.0)
    at_once = Moments(6, 1).add(keys, values, weights)
    one_by_one = Moments(6, 1)
    for row in range(n_rows):
        one_by_one.add(keys[row : row + 1], values[:1], weights[row : row + 1])
        assert one_by_one.gram.shape == (6, 6) or not row % 2  # some are read in between
    assert one_by_one == at_once
    assert np.array_equal(at_once.gram.diagonal(), at_once.key_square_sum)
    assert np.allclose(at_once.gram, (keys * weights[:, None]).T @ keys, atol=1e-4)


def test_a_fraction_as_weight_ends_waiting_and_exactness():
    keys = np.eye(3)
    moments = Moments(3, 1).add(keys, np.ones((3, 1)))
    moments.add(keys[:1], np.ones((1, 1)), [0.5])
    assert not moments.exact
    assert np.allclose(moments.gram, np.diag([1.5, 1, 1]))
    assert np.allclose(moments.decay(0.5).gram, np.diag([0.75, 0.5, 0.5]))


def peak_bytes(function):
    tracemalloc.start()
    try:
        result = function()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


def test_few_rows_in_many_columns_take_room_for_the_rows_only(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(4, 20_000)), [0, 1, 0, 1]
    learned, model = peak_bytes(lambda: FaastClassifier().fit(X, y))
    model.save(tmp_path / "wide")
    loaded, again = peak_bytes(lambda: faast.load(tmp_path / "wide"))
    asked, answers = peak_bytes(lambda: again.predict(X))
    assert answers.tolist() == y
    assert max(learned, loaded, asked) < 40 * X.nbytes


def test_one_text_is_added_without_the_products_of_all_columns():
    model = TextClassifier().fit(["a card", "a coin"], ["card", "coin"])
    assert peak_bytes(lambda: model.partial_fit(["the card"], ["card"]))[0] < 2_000_000
