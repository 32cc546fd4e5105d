"""Tip-Adapter: a key-value cache of the support added to the zero-shot classifier."""

from collections.abc import Sequence

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.evaluation.baselines.base import (
    LOGIT_SCALE,
    ClassEmbeddings,
    ProbabilisticBaseline,
    apply_in_batches,
    stack_embeddings,
    unit,
)
from faast.evaluation.baselines.model_selection import support_folds


class TipAdapter(ProbabilisticBaseline):
    """Training-free Tip-Adapter: scores = 100 x T' + alpha exp(-beta (1 - x K')) L.

    Rows x and keys K are scaled to unit norm, L holds the one-hot labels of the keys and T the
    class embeddings. Without T, the score is the logarithm of the cache term, so that the
    probability of a class is its share of the cache term.

    The published search tries 200 betas in [0.1, 7) and 20 alphas in [0.1, 3) on a validation set.
    Here the validation set is the held-out part of five folds of the support. When no class has two
    rows, nothing can be held out; alpha is then 1 and beta 5.5, the paper's choice on ImageNet.

    Parameters
    ----------
    class_embeddings : mapping of label to array-like of shape (n_features,), optional
        Zero-shot prior.
    n_betas, n_alphas : int
        Number of values that the search tries.
    validation_rows : int
        Largest number of rows that the search scores. Its cost is this number times the number of
        support rows times `n_betas`.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    alpha_, beta_ : float
        The chosen weight and sharpness of the cache term.

    References
    ----------
    Zhang et al., Tip-Adapter, ECCV 2022, arXiv:2207.09519; search ranges of the
    authors' ImageNet configuration.
    """

    def __init__(
        self,
        class_embeddings: ClassEmbeddings | None = None,
        n_betas: int = 200,
        n_alphas: int = 20,
        validation_rows: int = 1000,
        random_state: int = 0,
    ) -> None:
        self.class_embeddings = class_embeddings
        self.n_betas = n_betas
        self.n_alphas = n_alphas
        self.validation_rows = validation_rows
        self.random_state = random_state

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        self.keys_, self.codes_ = unit(rows), codes
        self.embeddings_ = (
            None
            if self.class_embeddings is None
            else stack_embeddings(self.class_embeddings, self.classes_, rows.shape[1])
        )
        self.alpha_, self.beta_ = self._choose_parameters(n_folds=5)

    def _choose_parameters(self, n_folds: int) -> tuple[float, float]:
        """Return the (alpha, beta) most accurate on held-out rows, the smallest on ties."""
        betas = np.linspace(0.1, 7, self.n_betas, endpoint=False)
        alphas = np.linspace(0.1, 3, self.n_alphas, endpoint=False)
        if self.embeddings_ is None:
            alphas = alphas[:1]  # the cache term alone ranks classes the same with every weight
        hits = np.zeros((len(betas), len(alphas)), dtype=np.intp)
        for learn, held in support_folds(self.codes_, n_folds, self.random_state):
            scored = held[: max(1, self.validation_rows // n_folds)]
            zero_shot = self._zero_shot(self.keys_[scored])
            affinity = self.keys_[scored] @ self.keys_[learn].T
            for i, beta in enumerate(betas):
                cache = self._cache(affinity, self.codes_[learn], beta)
                for j, alpha in enumerate(alphas):
                    best = (zero_shot + alpha * cache).argmax(axis=1)
                    hits[i, j] += (best == self.codes_[scored]).sum()
        if not hits.any():
            return 1.0, 5.5
        beta, alpha = np.unravel_index(hits.argmax(), hits.shape)
        return float(alphas[alpha]), float(betas[beta])

    def _zero_shot(self, rows: FloatArray) -> FloatArray:
        if self.embeddings_ is None:
            return np.zeros((len(rows), 1))
        return LOGIT_SCALE * rows @ self.embeddings_.T

    def _cache(self, affinity: FloatArray, codes: IntArray, beta: float) -> FloatArray:
        onehot = np.eye(len(self.classes_))[codes]
        cache: FloatArray = np.exp(beta * (affinity - 1)) @ onehot
        return cache

    def _scores(self, rows: FloatArray) -> FloatArray:
        def score(part: FloatArray) -> FloatArray:
            cache = self._cache(part @ self.keys_.T, self.codes_, self.beta_)
            if self.embeddings_ is None:
                return np.log(cache)
            return self._zero_shot(part) + self.alpha_ * cache

        return apply_in_batches(score, unit(rows))

    def _stored(self) -> Sequence[AnyArray]:
        arrays: list[AnyArray] = [self.keys_, self.codes_]
        return arrays if self.embeddings_ is None else [*arrays, self.embeddings_]
