"""Input rows: what is accepted, and which row an error names."""

import numpy as np
import pytest

from faast._utils.validation import as_rows, as_weights, check_finite, iterate_batches, to_numpy


def test_memory_maps_and_tensors_are_not_copied(tmp_path):
    np.save(tmp_path / "rows.npy", np.ones((3, 2)))
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert np.shares_memory(as_rows(mapped, "X"), mapped)
    torch = pytest.importorskip("torch")
    tensor = torch.ones(3, 2, dtype=torch.bfloat16)
    assert as_rows(tensor, "X") is tensor
    assert to_numpy(tensor).dtype == np.float32


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", "b"]], "X must be a numeric array, got dtype <U1"),
        ([1.0, 2.0], r"X must have shape \(n, 2\), got \(2,\)"),
        (np.ones((2, 3)), r"X must have shape \(n, 2\), got \(2, 3\)"),
    ],
)
def test_rows_that_are_no_matrix_of_this_width(rows, message):
    with pytest.raises(ValueError, match=message):
        as_rows(rows, "X", 2)


def test_the_first_row_that_is_not_finite_is_named():
    rows = np.ones((5, 2), np.float32)
    check_finite(rows * np.finfo(np.float32).max, "X")  # the sum overflows, no entry does
    rows[3, 1] = np.inf
    with pytest.raises(ValueError, match="row 3 of X contains inf"):
        check_finite(rows, "X")


def test_weights():
    assert as_weights(None, 3) is None
    assert as_weights(2, 3).tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(ValueError, match=r"shape \(3,\), got \(2,\)"):
        as_weights([1, 1], 3)
    for wrong in (-1.0, np.nan):
        with pytest.raises(ValueError, match=r"row 1 has weight .*to remove a learned row"):
            as_weights([1, wrong, 1], 3)


def test_batches_count_their_rows_from_the_first_batch():
    rows, values = np.ones((2, 3)), np.ones(2)
    for batches in (
        iterate_batches([(rows, values), (rows, values, [1, 2])], None, None),
        iterate_batches(iter([rows, rows]), iter([values, values]), iter([None, [1, 2]])),
    ):
        first, second = batches
        assert (first.first_row, second.first_row) == (0, 2)
        assert first.values.shape == (2, 1)
        assert first.weights is None
        assert second.weights.tolist() == [1.0, 2.0]


def test_batches_must_agree():
    rows = np.ones((2, 3))
    with pytest.raises(ValueError, match="same number of rows, got 2 and 1"):
        next(iterate_batches(rows, [1.0], None))
    with pytest.raises(ValueError, match="values are missing; pass keys and values"):
        next(iterate_batches(rows, None, None))
    with pytest.raises(ValueError, match=r"keys must have shape \(n, 3\), got \(2, 4\)"):
        list(iterate_batches(iter([rows, np.ones((2, 4))]), iter([np.ones(2)] * 2), None))


@pytest.mark.parametrize("weight", [0.5, np.float32(0.5), np.array(0.5)])
def test_one_number_is_the_weight_of_every_row_of_every_batch(weight):
    rows = np.ones((2, 3))
    for batch in iterate_batches([rows, rows], iter([rows, rows]), weight):
        assert batch.weights.tolist() == [0.5, 0.5]


ROWS, VALUES = np.ones((4, 3)), np.ones(4)
SAME = "keys, values(, weights|) must have the same number of batches, but there are "


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([ROWS] * 2, [VALUES] * 2, [VALUES] * 3), SAME + "2 of keys and values and more"),
        (([ROWS] * 2, [VALUES] * 2, [VALUES]), SAME + "1 of weights and more"),
        ((iter([ROWS] * 2), iter([VALUES]), None), SAME + "1 of values and more"),
        (([ROWS], [VALUES] * 2, 0.5), SAME + "1 of keys and more"),
        (([ROWS], 1.0, None), "keys are batches, so values must be too, got 1.0"),
        (([[1.0, 2.0], [3.0, 4.0]], None, None), "values are missing; pass keys and values"),
        (([ROWS, ROWS], None, None), "values are missing; pass keys and values"),
        ((iter([(ROWS,)]), None, None), "values are missing; pass keys and values"),
        (([1.0, 2.0], None, None), "values are missing; pass keys and values"),
        (([(ROWS, VALUES)], None, [VALUES]), "take no weights beside them; pass batches of"),
    ],
)
def test_batches_of_another_number_or_kind(given, message):
    with pytest.raises(ValueError, match=message):
        list(iterate_batches(*given))
