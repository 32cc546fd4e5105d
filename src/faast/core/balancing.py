"""Moments and rows reweighted so that every class counts alike."""

from __future__ import annotations

import numpy as np

from faast.core.moments import Moments
from faast.core.sample import RowSample


def balance(moments: Moments, rows: RowSample) -> tuple[Moments, RowSample]:
    """Reweight moments to equal class counts, keeping class means and within-class scatter.

    With class means m_c and n = N / C rows per class, G becomes the scatter within classes plus
    n sum_c m_c m_cᵀ. No Gram matrix per class is needed.

    Parameters
    ----------
    moments : Moments
        Moments whose values are one-hot classes.
    rows : RowSample
        Sampled rows of the same moments.

    Returns
    -------
    moments : Moments
        float64 sums.
    rows : RowSample
        Reweighted rows, marked as a sample because their scatter is not that of the moments.
    """
    counts = moments.value_sum
    seen = counts > 0
    means = moments.cross[:, seen] / counts[seen]
    equal = np.where(seen, moments.count / np.count_nonzero(seen), 0.0)
    gram = moments.gram + (means * (equal - counts)[seen]) @ means.T
    cross = np.zeros_like(moments.cross)
    cross[:, seen] = means * equal[seen]
    sums = {
        "count": np.asarray(moments.count),
        "cross": cross,
        "key_sum": cross.sum(axis=1),
        "key_square_sum": gram.diagonal().copy(),
        "value_sum": equal,
        "value_square_sum": equal,
    }
    factors = np.divide(equal, counts, out=np.zeros_like(counts), where=seen)
    keys, values = moments.from_grid(rows.keys, rows.values)
    weights = rows.weights * factors[values.argmax(axis=1)]
    reweighted = RowSample.reweighted(keys, values, weights, rows.hashes)
    return Moments.from_sums(sums, np.tril(gram)), reweighted
