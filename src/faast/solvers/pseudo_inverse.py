"""The paper's solver: a pseudo-inverse with spectral filtering."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from faast._utils.arrays import FloatArray
from faast.core.statistics import Statistics
from faast.core.weights import FastWeights
from faast.solvers.base import Solution, Solver
from faast.solvers.leverage import Spread
from faast.solvers.spectrum import LeaveOneOut, Spectrum, decompose

PAPER_ALPHA = 0.8


@dataclass(frozen=True)
class PseudoInverse(Solver):
    """W = pinv(K, rtol) V, with rtol = N**-alpha (FAAST, arXiv 2605.04651).

    Singular values of the keys below rtol times the largest are dropped. Keys are not centred and
    there is no bias.

    Parameters
    ----------
    alpha : float, optional
        Positive exponent of the tolerance N**-alpha; 0.8 if neither parameter is given.
    rtol : float, optional
        Fixed tolerance in [0, 1), in place of `alpha`.

    Raises
    ------
    ValueError
        If both are given, or one is out of range.

    Notes
    -----
    From the Gram matrix G = KᵀK = Q diag(w) Qᵀ with w = sigma²:
    W = Q diag(1/w where w > w_max rtol², else 0) Qᵀ KᵀV.
    """

    alpha: float | None = None
    rtol: float | None = None

    def __post_init__(self) -> None:
        if self.alpha is not None and self.rtol is not None:
            raise ValueError(f"give alpha or rtol, not both (got {self.alpha} and {self.rtol})")
        if self.rtol is not None and not 0.0 <= self.rtol < 1.0:
            raise ValueError(f"rtol must be in [0, 1), got {self.rtol}")
        if self.alpha is not None and not self.alpha > 0:
            raise ValueError(f"alpha must be positive, got {self.alpha}")

    def fit(self, statistics: Statistics) -> Solution:
        """Solve; see `Solver.fit`. Leave-one-out scores keep the choice of directions fixed."""
        spectrum = decompose(statistics, centred=False)
        weights, w = self.solve_spectrum(spectrum), spectrum.eigenvalues
        kept = np.arange(len(w)) < weights.rank

        def removed() -> FloatArray:
            # The pseudo-inverse is the limit of a vanishing ridge on the directions it keeps. A
            # tiny ridge stands in: with every direction kept the limit is 0 / 0.
            share: FloatArray = np.where(kept, 1e-10 / (w / w[:1] + 1e-10), 1.0)
            return share

        left_out = cache(lambda: LeaveOneOut(spectrum, statistics.sampled_rows()))

        def measure_spread() -> Spread:
            leverage = spectrum.leverage(np.where(kept, 1.0 / w, 0.0), outside=0.0)
            return Spread(leverage, left_out().remaining(removed()))

        return Solution(
            weights,
            lambda: left_out().predictions(removed()),
            lambda rows: LeaveOneOut(spectrum, rows).predictions(removed()),
            measure_spread=measure_spread,
        )

    def solve_spectrum(self, spectrum: Spectrum) -> FastWeights:
        """Compute weights from a decomposition, so that several tolerances can share one.

        Parameters
        ----------
        spectrum : Spectrum
            Not centred.
        """
        w = spectrum.eigenvalues
        kept = self.count_kept(w, spectrum.count)
        return spectrum.weights(np.where(np.arange(len(w)) < kept, 1.0 / w, 0.0), kept)

    def count_kept(self, eigenvalues: FloatArray, count: float) -> int:
        """Count the directions above the tolerance.

        Parameters
        ----------
        eigenvalues : ndarray of shape (r,), float64
            Squared singular values of the keys, descending.
        count : float
            Rows, N.

        Returns
        -------
        int
            At least 1 if there is any direction: for N = 1, rtol is 1 and would drop even the
            largest.
        """
        w, rtol = eigenvalues, self.rtol
        if rtol is None:
            rtol = max(count, 1.0) ** -(self.alpha or PAPER_ALPHA)
        above = int(np.count_nonzero(w > w[0] * rtol**2)) if len(w) else 0
        return max(above, min(1, len(w)))
