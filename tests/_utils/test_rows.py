"""Largest entries of rows, short and long."""

import numpy as np
import pytest

from faast._utils.rows import SHORT, row_maxima


@pytest.mark.parametrize("n_columns", [1, 2, SHORT, SHORT + 1, 100])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_rows", [0, 1, 50])
def test_they_are_those_of_numpy_on_either_side_of_short(n_rows, n_columns, dtype):
    rows = np.random.default_rng(0).standard_normal((n_rows, n_columns)).astype(dtype)
    rows[: n_rows // 2, 0] = -np.inf
    rows[: n_rows // 4, -1] = np.nan
    np.testing.assert_array_equal(row_maxima(rows), rows.max(axis=1))
    assert row_maxima(rows).dtype == dtype
