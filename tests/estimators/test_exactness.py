"""Any order, any batching, any tree of merges, add then forget: the same bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import faast
from faast import (
    AssociativeMemory,
    Discriminant,
    FaastClassifier,
    FaastRegressor,
    Moments,
    PseudoInverse,
    Ridge,
)
from tests.strategies import orders_and_cuts, problems

SOLVERS = ["auto", Ridge(), Ridge("gcv"), Discriminant(), PseudoInverse(alpha=0.8)]


def same_file(left, right):
    """Compare two models by what their files would hold, solved heads included."""
    assert left.weights_ is not right.weights_
    states = [model.to_state() for model in (left, right)]
    assert states[0].metadata == states[1].metadata
    assert states[0].tensors.keys() == states[1].tensors.keys()
    for name, tensor in states[0].tensors.items():
        assert tensor.dtype == states[1].tensors[name].dtype, name
        assert np.array_equal(tensor, states[1].tensors[name]), name


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_any_order_batching_and_merge_tree_gives_the_same_bits(data):
    rows, labels = data.draw(problems())
    solver = data.draw(st.sampled_from(SOLVERS))
    batches = data.draw(orders_and_cuts(len(rows)))
    whole = FaastClassifier(solver).fit(rows, labels)
    streamed = FaastClassifier(solver)
    shards = []
    for batch in batches:
        streamed.partial_fit(rows[batch], labels[batch])
        shards.append(FaastClassifier(solver).fit(rows[batch], labels[batch]))
    while len(shards) > 1:  # merge neighbours in a drawn tree
        at = data.draw(st.integers(0, len(shards) - 2))
        shards[at : at + 2] = [shards[at].merge(shards[at + 1])]
    same_file(whole, streamed)
    same_file(whole, shards[0])


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_added_and_forgotten_is_never_seen(data):
    rows, labels = data.draw(problems())
    solver = data.draw(st.sampled_from(SOLVERS))
    n_kept = data.draw(st.integers(3, len(rows) - 1))
    never = FaastClassifier(solver).fit(rows[:n_kept], labels[:n_kept])
    forgot = FaastClassifier(solver).fit(rows, labels)
    for batch in data.draw(orders_and_cuts(len(rows))):
        batch = batch[batch >= n_kept]
        forgot.forget(rows[batch], labels[batch])
    same_file(never, forgot)


@given(st.data())
@settings(deadline=None, max_examples=25)
def test_a_class_that_comes_late_was_known_from_the_start(data):
    rows, labels = data.draw(problems())
    late = labels == 0
    together = FaastClassifier().fit(rows, labels)
    apart = FaastClassifier().fit(rows[~late], labels[~late]).partial_fit(rows[late], labels[late])
    same_file(together, apart)


@given(data=st.data())
@settings(deadline=None, max_examples=25)
def test_loaded_models_learn_on_as_if_never_saved(tmp_path_factory, data):
    rows, labels = data.draw(problems())
    cut = data.draw(st.integers(2, len(rows) - 1))
    path = tmp_path_factory.mktemp("model") / "model"
    never_saved = FaastClassifier().fit(rows[:cut], labels[:cut])
    never_saved.save(path)
    loaded = faast.load(path)
    same_file(never_saved, loaded)
    for model in (never_saved, loaded):
        model.partial_fit(rows[cut:], labels[cut:]).forget(rows[:1], labels[:1])
    same_file(never_saved, loaded)


@given(st.data())
@settings(deadline=None, max_examples=25)
def test_moments_equal_the_sums_they_stand_for(data):
    rows, labels = data.draw(problems())
    values = np.eye(4)[labels]
    weights = np.random.default_rng(0).integers(0, 4, len(rows))
    moments = Moments(rows.shape[1], 4).add(rows, values, weights)
    held = np.rint(rows.astype(np.float64) * 2**20) / 2**20
    assert moments.count == weights.sum()
    np.testing.assert_allclose(moments.gram, held.T @ (held * weights[:, None]), atol=1e-12)
    np.testing.assert_allclose(moments.cross, held.T @ (values * weights[:, None]), atol=1e-12)
    np.testing.assert_allclose(moments.key_sum, weights @ held, atol=1e-12)
    np.testing.assert_allclose(moments.value_sum, weights @ values)
    np.testing.assert_allclose(moments.value_square_sum, weights @ values**2)


@given(st.data())
@settings(deadline=None, max_examples=25)
def test_integer_weights_are_repetitions(data):
    rows, labels = data.draw(problems(max_rows=15))
    weights = np.random.default_rng(1).integers(1, 4, len(rows))
    weighted = FaastClassifier().fit(rows, labels, weights)
    repeated = FaastClassifier().fit(np.repeat(rows, weights, axis=0), np.repeat(labels, weights))
    same_file(weighted, repeated)


@given(st.floats(0.5, 1.0), st.integers(0, 1000))
@settings(deadline=None, max_examples=25)
def test_decay_is_the_weighted_solution(factor, seed):
    rng = np.random.default_rng(seed)
    rows, values = rng.standard_normal((50, 6)) / 3, rng.standard_normal((50, 2))
    memory = AssociativeMemory(Ridge(0.1))
    for batch in np.split(np.arange(50), 5):
        memory.decay(factor).learn(rows[batch], values[batch])
    weights = factor ** np.repeat(np.arange(4, -1, -1), 10)
    centred = rows - weights @ rows / weights.sum()
    centred_values = values - weights @ values / weights.sum()
    direct = np.linalg.solve(
        centred.T @ (weights[:, None] * centred) + 0.1 * np.eye(6),
        centred.T @ (weights[:, None] * centred_values),
    )
    np.testing.assert_allclose(memory.weights.matrix, direct, atol=2e-5)  # the grid's step


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_predictions_on_the_grid_stay_within_its_promise(scale, rng):
    """At condition 1e4 with ridge, rounding moves predictions by at most 1e-4."""
    left, _ = np.linalg.qr(rng.standard_normal((400, 20)))
    right, _ = np.linalg.qr(rng.standard_normal((20, 20)))
    rows = left * np.logspace(0, -4, 20) @ right.T
    rows *= scale / np.linalg.norm(rows, axis=1).max()
    values = rows @ rng.standard_normal((20, 3)) / scale + 0.1 * rng.standard_normal((400, 3))
    strength = 1e-6 * np.linalg.norm(rows, 2) ** 2
    on, off = (
        AssociativeMemory(Ridge(strength), grid=grid).learn(rows, values).read(rows)
        for grid in (20, None)
    )
    assert np.linalg.norm(on - off) <= 1e-4 * np.linalg.norm(off)


@pytest.mark.parametrize("make", [FaastClassifier, FaastRegressor])
def test_weights_that_are_no_whole_numbers_end_the_promise_of_the_same_bits(make, rng):
    rows, targets = rng.standard_normal((12, 4)), np.arange(12) % 3
    assert make().fit(rows, targets).is_exact_
    assert make().fit(rows, targets, sample_weight=np.full(12, 2)).is_exact_
    model = make().fit(rows, targets)
    model.partial_fit(rows[:1], targets[:1], sample_weight=[0.3])
    model.forget(rows[:1], targets[:1], sample_weight=[0.3])
    assert not model.is_exact_
    np.testing.assert_allclose(model.predict(rows), make().fit(rows, targets).predict(rows))


@pytest.mark.parametrize("make", [FaastRegressor, FaastClassifier])
def test_after_all_rows_were_forgotten_others_are_sampled_anew(make, rng):
    rows = rng.standard_normal((28, 4))
    targets = (
        rng.standard_normal((28, 3))
        if make is FaastRegressor
        else np.eye(3, dtype=int)[rng.integers(0, 3, 28)]
    )
    old, new = slice(20), slice(20, None)
    model = make(selection_rows=8).fit(rows[old], targets[old]).forget(rows[old], targets[old])
    model.partial_fit(rows[new], targets[new])
    fresh = make(selection_rows=8).fit(rows[new], targets[new])
    assert model.is_exact_
    np.testing.assert_array_equal(model.predict(rows), fresh.predict(rows))
    same_file(model, fresh)
