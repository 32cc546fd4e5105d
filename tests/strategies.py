"""What property tests draw: small labelled problems and ways to cut them up."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def problems(draw, max_rows=40):
    """Rows of norm at most 2 and their labels, with repeated rows among them."""
    n_rows = draw(st.integers(6, max_rows))
    n_features = draw(st.integers(2, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = rng.standard_normal((n_rows, n_features))
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 0.5)
    rows[n_rows // 2] = rows[0]
    labels = rng.integers(0, draw(st.integers(2, 4)), n_rows)
    labels[:2] = 0, 1
    return rows.astype(draw(st.sampled_from([np.float64, np.float32]))), labels


@st.composite
def orders_and_cuts(draw, n_rows):
    """A permutation of the rows cut into batches."""
    order = np.array(draw(st.permutations(range(n_rows))))
    cuts = sorted(draw(st.lists(st.integers(1, n_rows - 1), max_size=5)))
    return [part for part in np.split(order, cuts) if len(part)]
