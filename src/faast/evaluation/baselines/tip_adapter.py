"""Key-value cache of the support beside the zero-shot classifier."""

from collections.abc import Sequence

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.evaluation.baselines.base import (
    LOGIT_SCALE,
    ClassEmbeddings,
    ProbabilisticBaseline,
    embedding_rows,
    in_batches,
    support_folds,
    unit,
)


class TipAdapter(ProbabilisticBaseline):
    """Training-free Tip-Adapter: scores = 100 x T' + alpha exp(-beta (1 - x K')) L.

    Rows x and keys K are scaled to unit norm, L holds the keys' one-hot labels and T the class
    embeddings. Without T the cache stands alone and its logarithm is the score, so that the
    probabilities are each class's share of it.

    The published search runs over 200 betas in [0.1, 7) and 20 alphas in [0.1, 3) on a
    validation set; here that set is the rows left out by five folds of the support. Where no
    class has two rows, alpha is 1 and beta 5.5, the paper's choice on ImageNet.

    Parameters
    ----------
    class_embeddings : mapping of label to array-like of shape (n_features,), optional
        Zero-shot prior.
    n_betas, n_alphas : int
        Steps of the search.
    validation_rows : int
        At most so many rows are scored in the search, whose cost is this number times the
        support's size times `n_betas`.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    alpha_, beta_ : float
        The chosen strength and sharpness of the cache.

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
            else embedding_rows(self.class_embeddings, self.classes_, rows.shape[1])
        )
        self.alpha_, self.beta_ = self._search(n_folds=5)

    def _search(self, n_folds: int) -> tuple[float, float]:
        """Choose the most accurate (alpha, beta) on rows left out; the smallest of equals."""
        betas = np.linspace(0.1, 7, self.n_betas, endpoint=False)
        alphas = np.linspace(0.1, 3, self.n_alphas, endpoint=False)
        if self.embeddings_ is None:
            alphas = alphas[:1]  # the cache alone ranks classes alike at every strength
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

        return in_batches(score, unit(rows))

    def _stored(self) -> Sequence[AnyArray]:
        kept: list[AnyArray] = [self.keys_, self.codes_]
        return kept if self.embeddings_ is None else [*kept, self.embeddings_]
