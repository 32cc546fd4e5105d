"""How much the paper's exponent decides, beside a strength that the rows choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from faast.evaluation.measure import OURS, Embeddings, Labelled, build, measure

ALPHAS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)


@dataclass(frozen=True)
class Sweep:
    """Accuracy of each exponent, and of ours, which has none.

    Attributes
    ----------
    alphas : dict of float to float
    ours : float
    """

    alphas: dict[float, float]
    ours: float

    @property
    def spread(self) -> float:
        """Best minus worst exponent."""
        return float(np.ptp(list(self.alphas.values())))


def sweep_alpha(
    supports: Sequence[Labelled],
    test: Labelled,
    embeddings: Embeddings = None,
    alphas: Sequence[float] = ALPHAS,
) -> Iterator[Sweep]:
    """Give every support to the paper's pseudo-inverse at each exponent, and to ours.

    Yields
    ------
    Sweep
        One a support.
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
