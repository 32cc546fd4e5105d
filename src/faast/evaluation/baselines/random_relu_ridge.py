"""Ridge regression on random ReLU features."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from sklearn.utils import gen_batches

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.evaluation.baselines.base import Baseline, apply_in_batches

RIDGES = 10.0 ** np.arange(-8, 9)
"""The published grid of ridge strengths."""


class RandomReLURidge(Baseline):
    """Classifier of RanPAC: one-hot labels regressed on relu(x R) with a fixed Gaussian matrix R.

    The ridge strength is the one of least squared error on a random 20% of the support after
    learning from the other 80%; the final weights learn from all rows. There are no probabilities.

    Parameters
    ----------
    n_random : int
        Number of random features M. A solve costs min(M, n_rows)**3 for each strength.
    random_state : int
        Seed of R and of the split.

    Attributes
    ----------
    ridge_ : float
        The chosen strength.

    References
    ----------
    McDonnell et al., RanPAC, NeurIPS 2023, arXiv:2307.02251, algorithm 1, and its repository
    RanPAC/RanPAC.
    """

    def __init__(self, n_random: int = 10_000, random_state: int = 0) -> None:
        self.n_random = n_random
        self.random_state = random_state

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        generator = np.random.default_rng(self.random_state)
        self.projection_ = generator.standard_normal((rows.shape[1], self.n_random))
        onehot = np.eye(len(self.classes_))[codes]
        learn, held = np.split(generator.permutation(len(rows)), [int(0.8 * len(rows))])
        held_features = self._map_features(rows[held])
        errors = [
            np.mean((held_features @ weights - onehot[held]) ** 2)
            for weights in self._ridge_path(rows[learn], onehot[learn], RIDGES)
        ]
        self.ridge_ = float(RIDGES[np.argmin(errors)])
        (self.weights_,) = self._ridge_path(rows, onehot, [self.ridge_])

    def _map_features(self, rows: FloatArray) -> FloatArray:
        features: FloatArray = np.maximum(rows @ self.projection_, 0)
        return features

    def _ridge_path(
        self, rows: FloatArray, targets: FloatArray, ridges: Iterable[float]
    ) -> Iterator[FloatArray]:
        """Yield the weights W = (H'H + λI)^-1 H'Y = H' (HH' + λI)^-1 Y for each strength λ.

        The smaller of the two systems is solved. With many rows, H'H is summed over blocks of rows,
        because all of H would not fit in memory.
        """
        if len(rows) < self.n_random:
            features = self._map_features(rows)
            gram = features @ features.T
            for ridge in ridges:
                yield features.T @ _solve_ridge(gram, ridge, targets)
            return
        gram = np.zeros((self.n_random, self.n_random))
        cross = np.zeros((self.n_random, targets.shape[1]))
        for block in gen_batches(len(rows), 4096):
            features = self._map_features(rows[block])
            gram += features.T @ features
            cross += features.T @ targets[block]
        for ridge in ridges:
            yield _solve_ridge(gram, ridge, cross)

    def _scores(self, rows: FloatArray) -> FloatArray:
        return apply_in_batches(lambda part: self._map_features(part) @ self.weights_, rows)

    def _stored(self) -> Sequence[AnyArray]:
        return [self.projection_, self.weights_]


def _solve_ridge(gram: FloatArray, ridge: float, right: FloatArray) -> FloatArray:
    """Solve (gram + ridge I) X = right."""
    solution = np.linalg.solve(gram + ridge * np.eye(len(gram)), right)
    return np.asarray(solution, dtype=np.float64)
