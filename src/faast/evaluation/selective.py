"""Accuracy against coverage: how right the answers are if the least sure rows get none."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray

COVERAGES = np.arange(1.0, 0.0, -0.05)
"""Shares of answered rows at which a curve is read."""


class CoverageCurve(NamedTuple):
    """Accuracy of the surest answers, at several shares of answered rows.

    Attributes
    ----------
    coverage : ndarray of shape (k,)
        Share of rows that get an answer, falling from 1.
    accuracy : ndarray of shape (k,)
        Share of the answers that are right.
    probability : ndarray of shape (k,)
        Least probability among the answers.
    """

    coverage: FloatArray
    accuracy: FloatArray
    probability: FloatArray


def coverage_curve(confidence: FloatArray, hits: AnyArray) -> CoverageCurve:
    """Measure accuracy against coverage (El-Yaniv & Wiener 2010).

    Rows of equal confidence get an answer together, so a coverage may be larger than asked for.

    Parameters
    ----------
    confidence : ndarray of shape (n,)
        Probability of each predicted label; n > 0.
    hits : ndarray of shape (n,), bool
        Whether each predicted label is right.
    """
    falling = np.sort(confidence)[::-1]
    counts = np.unique(np.ceil(COVERAGES * len(falling)).astype(np.int64))[::-1]
    least = np.unique(falling[counts - 1])
    order = np.argsort(confidence, kind="stable")
    first = np.searchsorted(confidence[order], least)
    answered = len(confidence) - first
    right = np.append(np.cumsum(hits[order][::-1])[::-1], 0)[first]
    return CoverageCurve(answered / len(confidence), right / answered, least)
