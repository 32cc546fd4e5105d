"""Rao's score test of whether classes are linear.

They are if the residuals R = Y - P of left-out rows do not depend on products of features, phi.
Then Φᵀ(s R) is as long as ΦᵀR for any signs s of the rows, so a few random signs tell how long it
is by chance. Its square, less Σ |phi_i|² |r_i|², is 0 in the mean. A test takes one product per
sign; to learn with the features and compare losses takes a solve.
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.blocks import row_blocks
from faast.core.grid import Grid
from faast.core.random_features import RandomFeatures, most_columns, narrow_rows, signs
from faast.core.sample import RowSample

PRODUCTS = 128
"""Products of two random projections that are tested; more tell little more."""

DRAWS = 16
"""Random signs that tell how long a score is by chance."""

TESTED_ROWS = 4096


def products_score(sample: RowSample, grid: Grid, residuals: AnyArray) -> float:
    """Return by how many standard deviations residuals depend on products of features.

    Parameters
    ----------
    sample : RowSample
        Keys in units of `grid`, sorted by hash; at most `TESTED_ROWS` of them are used.
    grid : Grid
    residuals : ndarray of shape (n, C), float32
        Y - P of these rows, each left out.
    """
    narrow, residuals = narrow_rows(sample.keys[:TESTED_ROWS], grid), residuals[:TESTED_ROWS]
    n_features = narrow.shape[1]
    width = min(n_features + PRODUCTS, most_columns(n_features))
    features = RandomFeatures.of(narrow, sample.weights[:TESTED_ROWS], grid, width)
    products = np.empty((len(narrow), width - n_features), np.float32)
    for block in row_blocks(len(narrow), width):
        products[block] = features.map(narrow[block])[:, n_features:]
    products -= products.mean(axis=0)
    products /= products.std(axis=0) + 1.0
    by_chance = np.einsum("ij,ij->i", products, products) @ np.einsum(
        "ij,ij->i", residuals, residuals
    )

    def excess(signed: AnyArray) -> float:
        score = signed.T @ products
        return float(np.vdot(score, score) - by_chance)

    draws = signs(DRAWS, len(narrow)).astype(np.float32)
    null = np.array([excess(residuals * draw[:, None]) for draw in draws])
    spread = float(np.sqrt(np.mean(null**2)))
    return excess(residuals) / spread if spread > 0 else 0.0


def residuals_of(logits: AnyArray, codes: IntArray, weights: FloatArray) -> AnyArray:
    """Return weights times Y - P, (n, C) float32, for logits (n, C) of rows of these classes."""
    found = -softmax(logits.astype(np.float32), axis=1)
    found[np.arange(len(codes)), codes] += 1.0
    found *= weights.astype(np.float32)[:, None]
    return found
