"""Memory read by one matrix: the method as its paper has it."""

import numpy as np

from faast._typing import AnyArray, FloatArray, IntArray
from faast.baselines.base import ClassEmbeddings
from faast.baselines.memory_reader import MemoryReader


class PaperFaast(MemoryReader):
    """Values regressed on keys: W = pinv(K) V, read as x W.

    Singular values of the keys below N**-alpha of the largest are dropped, and the
    pseudo-inverse is that of the stacked keys, as published.

    Parameters
    ----------
    class_embeddings, prior_count
        See `MemoryReader`.
    alpha : float
        Exponent of the spectral filter; 0.8 for images.

    References
    ----------
    FAAST, arXiv:2605.04651, the pseudo-inverse reader.
    """

    def __init__(
        self,
        class_embeddings: ClassEmbeddings | None = None,
        prior_count: float | None = None,
        alpha: float = 0.8,
    ) -> None:
        super().__init__(class_embeddings, prior_count)
        self.alpha = alpha

    def _memorise(self, keys: FloatArray, codes: IntArray) -> None:
        inverse = np.linalg.pinv(keys, rtol=len(keys) ** -self.alpha)
        self.weights_: FloatArray = inverse @ self.embeddings_[codes]

    def _read(self, queries: FloatArray) -> FloatArray:
        read: FloatArray = queries @ self.weights_
        return read

    def _kept(self) -> list[AnyArray]:
        return [self.weights_]
