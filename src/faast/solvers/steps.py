"""Half-steps along the gradient of the leave-one-out log-loss of a classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.blocks import row_blocks
from faast._utils.floats import EPSILON, TINY
from faast._utils.rows import row_maxima
from faast.core.sample import RowArrays
from faast.core.weights import FastWeights
from faast.solvers.views import View

STEP = 0.5


class Scored(NamedTuple):
    """Weights, leave-one-out scores (n, C) of the sampled rows, and how to score other rows."""

    weights: FastWeights
    loo_scores: AnyArray
    leave_out: Callable[[RowArrays], FloatArray]


def take_steps(scored: Scored, view: View, rows: RowArrays) -> Scored:
    """Take the half-steps along the gradient of the leave-one-out log-loss."""
    classes, Z, weights = view.classes, view.left_out.coordinates, rows.weights
    codes, leavable = view.left_out.codes, view.left_out.leavable
    size = float(np.vdot(Z, Z))
    if size < TINY:
        return scored  # all rows are equal, and no step leads anywhere
    unit = 2.0 ** round(0.5 * np.log2(size))  # changes no digit, and float32 does not overflow
    rough = np.divide(Z, unit, dtype=np.float32, casting="same_kind")  # few digits tell a direction
    energy = np.einsum("ij,ij->i", rough, rough).astype(np.float64)
    weighted = rough * weights[:, None].astype(np.float32)
    scores = scored.loo_scores.astype(np.float32)
    n_classes, total_weight = len(classes.counts), max(float(weights.sum()), TINY)
    total = np.zeros((rough.shape[1], n_classes))
    residuals = np.empty_like(scores)
    for _ in range(int(np.log2(classes.rows_per_class))):
        entropy = 0.0
        for block in row_blocks(*scores.shape):
            R = residuals[block]
            np.subtract(scores[block], row_maxima(scores[block])[:, None], out=R)
            np.exp(R, out=R)
            at = np.arange(len(R)), codes[block]
            own, R[at] = R[at], 0.0
            # 1 - p is the sum of the others: it keeps its digits where rows are certain
            wrong = np.einsum("ij->i", R)
            mass = own + wrong
            others = np.einsum("ij,ij->i", R, R) / mass**2
            wrong /= mass
            entropy += float(weights[block] @ (wrong * (1.0 + own / mass) - others))
            # residuals of rows that cannot be left out are 0
            R /= np.where(leavable[block], mass, np.inf)[:, None]
            R[at] = -wrong * leavable[block]
        entropy = max(entropy / total_weight, EPSILON)
        length = -STEP / max(float(energy @ weights) * entropy / n_classes, TINY)
        step = (weighted.T @ residuals) * np.float32(length)
        total += step
        scores += rough @ step
        residuals *= (length * energy).astype(np.float32)[:, None]
        scores -= residuals  # the row's own contribution
    found, frame = scored.weights, classes.frame
    total = frame.divide(frame.lift(total.T) / unit).T
    moved = replace(found, matrix=found.matrix + total, bias=found.bias - frame.centre @ total)

    def leave_out(left: RowArrays) -> FloatArray:
        """Move the scores of rows that contributed nothing to the steps."""
        return scored.leave_out(left) + (left.keys - frame.centre) @ total

    return Scored(moved, scores, leave_out)
