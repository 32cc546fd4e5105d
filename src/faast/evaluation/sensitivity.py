"""Sensitivity of the paper's method to its exponent alpha, beside faast, which has none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from faast.evaluation.measure import OURS, Embeddings, Labelled, build, measure

ALPHAS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)


@dataclass(frozen=True)
class Sweep:
    """Accuracies on one support.

    Attributes
    ----------
    alphas : dict of float to float
        Accuracy of the paper's method for each exponent, 0 to 1.
    ours : float
        Accuracy of faast.
    """

    alphas: dict[float, float]
    ours: float

    @property
    def spread(self) -> float:
        """Accuracy of the best exponent minus that of the worst."""
        return float(np.ptp(list(self.alphas.values())))


def sweep_alpha(
    supports: Sequence[Labelled],
    test: Labelled,
    embeddings: Embeddings = None,
    alphas: Sequence[float] = ALPHAS,
) -> Iterator[Sweep]:
    """Measure the paper's method with each exponent, and faast, on every support.

    Parameters
    ----------
    supports : sequence of pairs of ndarray
        Rows of shape (n, d) and labels of shape (n,).
    test : pair of ndarray
        Rows and labels to measure accuracy on.
    embeddings : mapping of label to ndarray of shape (d,), optional
        Class embeddings for both methods.
    alphas : sequence of float
        Exponents to try.

    Yields
    ------
    Sweep
        One per support.
    """
    for support in supports:
        yield Sweep(
            alphas={
                alpha: measure(
                    partial(build, "paper-faast", embeddings, alpha=alpha), support, test
                ).accuracy
                for alpha in alphas
            },
            ours=measure(partial(build, OURS, embeddings), support, test).accuracy,
        )
