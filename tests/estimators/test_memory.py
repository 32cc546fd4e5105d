import numpy as np

import faast
from faast import AssociativeMemory, PseudoInverse, Ridge


def test_what_was_learned_is_read(unit_rows):
    rows, values = unit_rows
    memory = AssociativeMemory(PseudoInverse(rtol=0.0)).learn(rows[:10], values[:10])
    np.testing.assert_allclose(memory.read(rows[:10]), values[:10], atol=1e-4)
    assert memory.weights.rank == 10
    assert memory.weights.explained > 0.999
    assert memory.weights.condition >= 1.0


def test_reset_is_a_fresh_memory(unit_rows):
    memory = AssociativeMemory().learn(*unit_rows).reset()
    assert memory.count == 0
    memory.learn(*unit_rows)
    fresh = AssociativeMemory().learn(*unit_rows)
    assert np.array_equal(memory.weights.matrix, fresh.weights.matrix)


def test_only_a_sample_of_rows_is_kept_and_it_does_not_depend_on_order(unit_rows):
    rows, values = unit_rows
    forwards = AssociativeMemory(selection_rows=20).learn(rows, values)
    backwards = AssociativeMemory(selection_rows=20)
    for row in range(59, -1, -1):
        backwards.learn(rows[[row]], values[[row]])
    assert 0 < len(forwards.rows) <= 20
    assert np.array_equal(forwards.rows.keys, backwards.rows.keys)
    assert np.array_equal(forwards.weights.matrix, backwards.weights.matrix)


def test_forgetting_past_the_kept_rows_is_exact_in_the_moments(unit_rows):
    rows, values = unit_rows
    memory = AssociativeMemory(Ridge("gcv"), selection_rows=20).learn(rows, values)
    memory.forget(rows[30:], values[30:])
    never = AssociativeMemory(Ridge("gcv"), selection_rows=20).learn(rows[:30], values[:30])
    assert memory.moments == never.moments
    assert not memory.rows.complete


def test_rows_kept_are_the_rows_learned_as_the_grid_holds_them(unit_rows):
    rows, values = unit_rows
    memory = AssociativeMemory().learn(rows, values, np.arange(60) % 3)
    keys, _ = memory.moments.from_grid(memory.rows.keys, memory.rows.values)
    kept = {tuple(key) for key in keys}
    expected = {tuple(np.rint(row * 2**20) / 2**20) for row in rows[np.arange(60) % 3 > 0]}
    assert kept == expected
    assert memory.rows.weights.sum() == memory.count == (np.arange(60) % 3).sum()


def test_decay_fades_what_was_learned_before(unit_rows):
    rows, values = unit_rows
    memory = AssociativeMemory(Ridge(1e-3)).learn(rows, values).decay(1e-3)
    memory.learn(rows, values[::-1])
    agree = (memory.read(rows).argmax(axis=1) == values[::-1].argmax(axis=1)).mean()
    fresh = AssociativeMemory(Ridge(1e-3)).learn(rows, values[::-1])
    assert agree >= (fresh.read(rows).argmax(axis=1) == values[::-1].argmax(axis=1)).mean() - 0.05


def test_queries_may_be_of_any_float_type(unit_rows):
    rows, values = unit_rows
    memory = AssociativeMemory().learn(rows, values)
    np.testing.assert_allclose(memory.read(rows.astype(np.float16)), memory.read(rows), atol=1e-2)


def test_a_file_of_few_rows_holds_no_sums_and_loads_the_same_bits(rng, tmp_path):
    keys, values = rng.standard_normal((30, 400)) / 20, rng.standard_normal((30, 3)) / 4
    memory = AssociativeMemory().learn(keys, values, weights=np.arange(1, 31))
    memory.save(tmp_path / "few")
    assert (tmp_path / "few").stat().st_size < 8 * 400**2 / 2
    restored = faast.load(tmp_path / "few")
    assert restored.moments == memory.moments
    assert np.array_equal(restored.read(keys), memory.read(keys))
    restored.forget(keys[:1], values[:1])
    never = AssociativeMemory().learn(keys[1:], values[1:], weights=np.arange(2, 31))
    assert np.array_equal(restored.read(keys), never.read(keys))
