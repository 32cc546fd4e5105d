import numpy as np
import pytest

from faast import Moments


def moments_of(rows, values, **settings):
    return Moments(rows.shape[1], values.shape[1], **settings).add(rows, values)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
def test_every_dtype_of_the_same_numbers_gives_the_same_moments(dtype, rng):
    rows = rng.integers(-3, 4, (50, 5))
    values = np.eye(3)[rng.integers(0, 3, 50)]
    assert moments_of(rows.astype(dtype), values) == moments_of(rows.astype(float), values)


def test_tensors_and_memory_maps_and_batches_give_the_same_moments(unit_rows, tmp_path):
    torch = pytest.importorskip("torch", reason="tensors need torch")
    rows, values = unit_rows[0].astype(np.float32), unit_rows[1]
    expected = moments_of(rows, values)
    mapped = np.memmap(tmp_path / "rows", np.float32, "w+", shape=rows.shape)
    mapped[:] = rows
    parts = np.array_split(np.arange(60), 7)
    empty = Moments(12, 4)
    assert empty.copy().add(mapped, values) == expected
    assert empty.copy().add(torch.tensor(rows), torch.tensor(values)) == expected
    assert empty.copy().add(torch.tensor(rows, requires_grad=True), values) == expected
    assert empty.copy().add((rows[p], values[p]) for p in parts) == expected
    assert empty.copy().add((rows[p] for p in parts), (values[p] for p in parts)) == expected
    assert empty.copy().add([rows[p] for p in parts], [values[p] for p in parts]) == expected
    half = torch.tensor(rows, dtype=torch.bfloat16)
    assert empty.copy().add(half, values) == moments_of(half.float().numpy(), values)


def test_adding_outputs_is_having_known_the_values_from_the_start(unit_rows):
    rows, values = unit_rows
    late = values[:, 3] == 1
    wide = Moments(12, 3).add(rows[~late], values[~late, :3]).select_outputs([0, 1, 2, -1])
    assert wide.add(rows[late], values[late]) == moments_of(rows, values)


def test_large_rows_take_a_scale_a_column_and_keep_relative_precision(rng):
    sizes = np.array([1e-2, 1.0, 1e4])
    rows, values = rng.standard_normal((200, 3)) * sizes, np.eye(2)[rng.integers(0, 2, 200)]
    moments = moments_of(rows, values)
    assert np.all(np.log2(moments.key_scale) % 1 == 0)
    np.testing.assert_allclose(moments.gram, rows.T @ rows, rtol=1e-4, atol=1e-4 * sizes.min())


def test_unit_rows_always_have_scale_one(unit_rows):
    assert moments_of(*unit_rows).key_scale == 1.0


def test_a_block_too_large_for_float64_is_split_and_stays_exact(rng):
    rows = rng.integers(-80, 81, (3000, 4)).astype(float)
    moments = Moments(4, 1, key_scale=1.0).add(rows, np.ones((3000, 1)))
    assert moments.exact
    assert np.array_equal(moments.gram, rows.T @ rows)
    assert np.array_equal(moments.key_sum, rows.sum(axis=0))


def test_sums_that_would_leave_int64_are_refused_and_nothing_changes():
    moments = Moments(1, 1, key_scale=1.0).add([[80.0]] * 1000, [[1.0]] * 1000)
    before = moments.copy()
    with pytest.raises(OverflowError, match="64-bit"):
        moments.add([[80.0]] * 1000, [[1.0]] * 1000)
    with pytest.raises(OverflowError, match="64-bit"):
        moments.add([[80.0]], [[1.0]], weights=[1000])
    assert moments == before


@pytest.mark.parametrize("weight", [0.5, 1 / 3])
def test_real_weights_leave_the_grid_and_say_so(weight, unit_rows):
    rows, values = unit_rows
    moments = Moments(12, 4).add(rows, values, np.full(60, weight))
    assert not moments.exact
    np.testing.assert_allclose(moments.gram, weight * rows.T @ rows, atol=1e-4)
    moments.subtract(rows, values, np.full(60, weight))
    np.testing.assert_allclose(moments.gram, 0, atol=1e-9)


def test_decay_multiplies_everything(unit_rows):
    moments = moments_of(*unit_rows)
    halved = moments.copy().decay(0.5)
    assert halved.count == 30
    np.testing.assert_allclose(halved.gram, moments.gram / 2)
    with pytest.raises(ValueError, match=r"factor must be in \(0, 1\]"):
        moments.decay(0.0)


def test_forgetting_more_than_was_learned_is_refused_and_nothing_changes(unit_rows):
    rows, values = unit_rows
    moments = moments_of(rows[:30], values[:30])
    before = moments.copy()
    with pytest.raises(ValueError, match="never all learned"):
        moments.subtract(rows, values)
    assert moments == before


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Moments(12, 4, grid=16), "grid=20 and grid=16"),
        (Moments(11, 4), "n_features=12 and n_features=11"),
        (Moments(12, 5), "n_values=4 and n_values=5"),
        (Moments(12, 4, key_scale=2.0), r"key scales \(1.0 and 2.0\)"),
        (Moments(12, 4, key_scale=[1.0] * 5 + [2.0] * 7), "1.0 and 2.0 in column 5"),
    ],
)
def test_moments_that_do_not_fit_are_not_merged(other, message, unit_rows):
    moments = moments_of(*unit_rows)
    with pytest.raises(ValueError, match=message):
        moments.merge(other)


def test_no_grid_is_plain_float64(unit_rows):
    rows, values = unit_rows
    moments = moments_of(rows, values, grid=None)
    assert not moments.exact
    np.testing.assert_allclose(moments.gram, rows.T @ rows, rtol=1e-12)


@pytest.mark.parametrize("bad", [0, 25, -1, 20.5, 20.0, True, "20"])
def test_grids_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match="grid must be None or an integer from 1 to 24"):
        Moments(2, 2, grid=bad)


def test_an_integer_of_numpy_is_a_grid(unit_rows):
    assert moments_of(*unit_rows, grid=np.int64(20)) == moments_of(*unit_rows)


def test_scales_that_are_no_powers_of_two_or_too_few_are_refused():
    with pytest.raises(ValueError, match="power of two"):
        Moments(2, 2, key_scale=3.0)
    with pytest.raises(ValueError, match=r"key_scale must be one number or one per column, of 2"):
        Moments(2, 2, key_scale=[1.0, 1.0, 2.0])
    with pytest.raises(ValueError, match=r"value_scale .* of 2 columns; got the shape \(1,\)"):
        Moments(2, 2, value_scale=np.ones(1))


def test_keys_alone_are_summed_like_keys_of_rows_with_values(unit_rows):
    rows, values = unit_rows
    moments = moments_of(rows, values[:, :0])
    assert moments.count == len(rows)
    assert np.array_equal(moments.gram, moments_of(rows, values).gram)


@pytest.mark.parametrize("weighted", [False, True])
def test_many_columns_of_zeros_are_left_out_of_products_and_change_no_bit(weighted, rng):
    X = rng.integers(-(2**20), 2**20, (300, 7)) / 2**20
    labels = rng.permutation(np.arange(300) % 211)
    values = np.zeros((300, 400))
    values[np.arange(300), labels] = 1.0
    values[::50, 399] = 3.0
    weights = rng.integers(0, 4, 300) if weighted else np.ones(300)
    moments = Moments(7, 400)
    for part in (slice(120), slice(120, None)):
        moments.add(X[part], values[part], weights[part] if weighted else None)
    assert np.array_equal(moments.cross, X.T @ (values * weights[:, None]))
    assert moments.exact
