"""Linear discriminant: class means seen through the shrunk within-class covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.linalg
from scipy.special import logsumexp

from faast._typing import FloatArray
from faast.moments import Moments
from faast.rows import KeptRows, RowArrays
from faast.solvers.base import Solver
from faast.solvers.spectrum import above_noise, rows_in_units
from faast.weights import FastWeights

SHRINKAGES = np.array([1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95, 0.99])
DEFAULT_SHRINKAGE = 0.5
TINY = 1e-12


@dataclass(frozen=True)
class Discriminant(Solver):
    """Scores are the log-likelihoods of Gaussian classes with one covariance, plus log priors.

    W = Σ⁻¹ M and bias_c = -½ m_cᵀ Σ⁻¹ m_c + log(n_c / N), with the class means m_c in M and
    Σ = (1 - shrinkage) S_w / (N - C) + shrinkage · (its mean eigenvalue) · I, S_w the scatter
    within classes. Where no class has two rows the scatter about the overall mean stands in.

    Parameters
    ----------
    shrinkage : float or "loo"
        In (0, 1], or the value with the smallest leave-one-out negative log-likelihood on the kept
        rows (0.5 where nothing can be left out).

    Notes
    -----
    Values must be classes: every row has a single 1 and else zeros. Leaving row x of class c out
    is a rank-one downdate: with A = S_w + λI, z = x - m_c, g = A⁻¹z, q = zᵀg and
    a = n_c / (n_c - 1), squared distances D_k = (x - m_k)ᵀ A⁻¹ (x - m_k) become
    D_k + a ((x - m_k)ᵀ g)² / (1 - a q), and a² q / (1 - a q) for the own class.
    """

    shrinkage: float | Literal["loo"] = "loo"

    def __post_init__(self) -> None:
        if isinstance(self.shrinkage, str):
            if self.shrinkage != "loo":
                raise ValueError(f'shrinkage must be a number or "loo", got {self.shrinkage!r}')
        elif not 0.0 < self.shrinkage <= 1.0:
            raise ValueError(f"shrinkage must be in (0, 1], got {self.shrinkage}")

    def solve(self, moments: Moments, rows: KeptRows | None = None) -> FastWeights:
        """Solve; see `Solver.solve`."""
        classes = GaussianClasses.of(moments, rows)
        shrinkage = self.shrinkage
        if isinstance(shrinkage, str):
            shrinkage = DEFAULT_SHRINKAGE
            if rows is not None and len(rows) and classes.counts.max(initial=0.0) > 1:
                kept = rows_in_units(moments, rows)
                losses = [classes.loo_loss(kept, candidate) for candidate in SHRINKAGES]
                if np.isfinite(losses).any():
                    shrinkage = float(SHRINKAGES[np.nanargmin(losses)])
        return classes.weights(moments, shrinkage)

    def loo_values(self, moments: Moments, rows: KeptRows, weights: FastWeights) -> FloatArray:
        """Predict rows without themselves; see `Solver.loo_values`."""
        classes = GaussianClasses.of(moments, rows)
        return classes.loo_scores(rows_in_units(moments, rows), weights.strength)


@dataclass(frozen=True, eq=False)
class GaussianClasses:
    """Class counts and means, and the scatter within classes decomposed as Q diag(w) Qᵀ.

    Attributes
    ----------
    counts : ndarray of shape (C,)
    means : ndarray of shape (d, C)
        The overall mean for a class without rows.
    eigenvalues : ndarray of shape (r,)
    basis : ndarray of shape (d, r)
    """

    counts: FloatArray
    means: FloatArray
    eigenvalues: FloatArray
    basis: FloatArray

    @classmethod
    def of(cls, moments: Moments, rows: KeptRows | None) -> GaussianClasses:
        """Summarise moments whose values are classes, from the smaller side (see `spectrum`).

        Raises
        ------
        ValueError
            Values are no classes.
        """
        counts, count = moments.value_sum, moments.count
        if not (
            np.allclose(counts, moments.value_square_sum)
            and np.all(counts >= 0)
            and np.isclose(counts.sum(), count)
        ):
            raise ValueError(
                "Discriminant needs classes as values (one 1 in each row, zeros elsewhere); "
                "for other values use Ridge or PseudoInverse"
            )
        overall = moments.key_sum / max(count, 1.0)
        means = np.where(counts > 0, moments.cross / np.maximum(counts, 1e-300), overall[:, None])
        # no class with two rows has scatter of its own: take it about the overall mean
        centres = means if counts.max(initial=0.0) > 1 else np.tile(overall[:, None], len(counts))
        if rows is not None and rows.complete and 2 * len(rows) <= moments.n_features:
            kept = rows_in_units(moments, rows)
            centred = np.sqrt(kept.weights)[:, None] * (kept.keys - kept.values @ centres.T)
            eigenvalues, left = scipy.linalg.eigh(centred @ centred.T, driver="evd")
            kept_part = above_noise(eigenvalues, len(centred))
            eigenvalues, left = eigenvalues[kept_part], left[:, kept_part]
            return cls(counts, means, eigenvalues, (centred.T @ left) / np.sqrt(eigenvalues))
        scatter = moments.gram - (centres * counts) @ centres.T
        eigenvalues, basis = scipy.linalg.eigh(scatter, driver="evd", overwrite_a=True)
        kept_part = above_noise(eigenvalues, moments.n_features)
        return cls(counts, means, eigenvalues[kept_part], basis[:, kept_part])

    @property
    def _degrees(self) -> float:
        filled = np.count_nonzero(self.counts) if self.counts.max(initial=0.0) > 1 else 1
        return max(float(self.counts.sum()) - filled, 1.0)

    def _precision(self, shrinkage: float) -> tuple[FloatArray, float]:
        """Inverse eigenvalues of Σ along the basis, and off it."""
        covariance = self.eigenvalues / self._degrees
        floor = shrinkage * (covariance.sum() / len(self.means) or 1.0)
        return 1.0 / ((1.0 - shrinkage) * covariance + floor), 1.0 / floor

    def _log_priors(self) -> FloatArray:
        return np.log(np.maximum(self.counts, 0.5) / max(self.counts.sum(), 1.0))

    def weights(self, moments: Moments, shrinkage: float) -> FastWeights:
        """Assemble fast weights."""
        along, off = self._precision(shrinkage)
        matrix = off * self.means + self.basis @ (
            (along - off)[:, None] * (self.basis.T @ self.means)
        )
        w, rank = self.eigenvalues, len(self.eigenvalues)
        between = float(((self.means**2).sum(axis=0) * self.counts).sum())
        total = float(np.trace(moments.gram))
        mean_square = float((moments.key_sum**2).sum()) / max(moments.count, 1.0)
        explained = (between - mean_square) / (total - mean_square) if total > mean_square else 0.0
        return FastWeights(
            matrix=matrix,
            bias=self._log_priors() - 0.5 * np.einsum("dc,dc->c", self.means, matrix),
            rank=rank,
            condition=float(np.sqrt(w[0] / w[-1])) if rank else 1.0,
            explained=float(np.clip(explained, 0.0, 1.0)),
            strength=shrinkage,
        )

    def loo_loss(self, rows: RowArrays, shrinkage: float) -> float:
        """Mean negative log-likelihood of rows when each is left out; NaN where none can be."""
        codes = rows.values.argmax(axis=1)
        can_leave = self.counts[codes] > 1
        scores = self.loo_scores(rows, shrinkage)[can_leave]
        weights, codes = rows.weights[can_leave], codes[can_leave]
        if not len(codes):
            return float("nan")
        likelihood = scores[np.arange(len(codes)), codes] - logsumexp(scores, axis=1)
        return float(-(weights @ likelihood) / weights.sum())

    def loo_scores(self, rows: RowArrays, shrinkage: float) -> FloatArray:
        """Scores of each row with one copy of it left out, shape (n, C); up to a constant a row."""
        along, off = self._precision(shrinkage)
        codes = rows.values.argmax(axis=1)
        every = np.arange(len(codes))
        root = np.sqrt(along) - np.sqrt(off)
        white_rows = np.sqrt(off) * rows.keys + ((rows.keys @ self.basis) * root) @ self.basis.T
        white_means = np.sqrt(off) * self.means + self.basis @ (
            root[:, None] * (self.basis.T @ self.means)
        )
        products = white_rows @ white_means
        row_squares = np.einsum("ij,ij->i", white_rows, white_rows)
        mean_squares = np.einsum("dc,dc->c", white_means, white_means)
        distances = row_squares[:, None] - 2.0 * products + mean_squares
        # (x - m_k)ᵀ Σ⁻¹ (x - m_c), from the products already at hand
        mean_products = white_means.T @ white_means
        along_z = (row_squares - products[every, codes])[:, None] - products + mean_products[codes]
        q = distances[every, codes]
        counts = self.counts[codes]
        a = np.where(counts > 1.0, counts / np.maximum(counts - 1.0, TINY), 1.0)
        scale = (1.0 - shrinkage) / self._degrees
        left = np.maximum(1.0 - scale * a * q, TINY)
        left_out = distances + (scale * a / left)[:, None] * along_z**2
        left_out[every, codes] = a**2 * q / left
        priors = np.tile(np.maximum(self.counts, 0.5), (len(codes), 1))
        priors[every, codes] = np.maximum(counts - 1.0, 0.5)
        return np.log(priors) - 0.5 * left_out
