"""Equal class priors from moments: class means keep, the pooled scatter stays, counts are equal."""

from __future__ import annotations

import numpy as np

from faast.moments import Moments
from faast.rows import KeptRows


def equal_priors(moments: Moments, rows: KeptRows) -> tuple[Moments, KeptRows]:
    """Return moments (float64) and rows as if every class had the same number of rows.

    With class means m_c and n = N / C rows a class, G becomes the scatter within classes, as it is,
    plus n sum_c m_c m_cᵀ. No Gram matrix a class is needed.

    Parameters
    ----------
    moments : Moments
        Values are classes (one-hot).
    rows : KeptRows
        Reweighted, and marked as a sample: their own scatter would not be the pooled one.
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
        "gram": np.tril(gram),
        "cross": cross,
        "key_sum": cross.sum(axis=1),
        "value_sum": equal,
        "value_square_sum": equal,
    }
    factors = np.divide(equal, counts, out=np.zeros_like(counts), where=seen)
    keys, values = moments.from_grid(rows.keys, rows.values)
    weights = rows.weights * factors[values.argmax(axis=1)]
    return Moments.from_sums(sums), KeptRows.sample(keys, values, weights)
