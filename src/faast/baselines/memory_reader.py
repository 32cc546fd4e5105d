"""The reading rule that the paper's four memory readers share."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.metaestimators import available_if

from faast._typing import AnyArray, FloatArray, IntArray
from faast.baselines.base import (
    LOGIT_SCALE,
    ClassEmbeddings,
    ProbabilisticBaseline,
    embedding_rows,
    in_batches,
    unit,
)


class MemoryReader(ProbabilisticBaseline):
    """Memory of (key, value) pairs, read for each query and mixed with the query itself.

    Keys are the support rows. With class embeddings T, the value of a key is its class's
    unit embedding; for a query x, with N keys, a prior count N0 and r = N / (N0 + N),

        prediction = (1 - r) x + r read(x),    scores = 100 unit(prediction) T'.

    Without class embeddings the value is a one-hot row, the query cannot be mixed with it
    (N0 = 0), and the read itself is the class scores; probabilities are then not defined,
    as no logit scale of a frozen model goes with them.

    Parameters
    ----------
    class_embeddings : mapping of label to array-like of shape (n_features,), optional
        Zero-shot prior, in the space of the rows.
    prior_count : float, optional
        N0: how many rows the frozen model's own answer counts for. By default 40 a class with
        class embeddings; embeddings of labels that mean nothing call for 0.

    References
    ----------
    FAAST, arXiv:2605.04651, section on image classification.
    """

    def __init__(
        self,
        class_embeddings: ClassEmbeddings | None = None,
        prior_count: float | None = None,
    ) -> None:
        self.class_embeddings = class_embeddings
        self.prior_count = prior_count

    def read(self, X: ArrayLike) -> FloatArray:
        """Read the memory for queries (n_rows, n_features), before the prior.

        Returns
        -------
        ndarray of shape (n_rows, n_values), float64
            n_values is n_features with class embeddings, else n_classes.
        """
        return in_batches(self._read, self._checked(X))

    @available_if(lambda self: self.class_embeddings is not None)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Give the softmax of the class scores (n_rows, n_classes); only with embeddings."""
        return super().predict_proba(X)

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        n_rows, n_classes = len(rows), len(self.classes_)
        if self.class_embeddings is None:
            if self.prior_count:
                raise ValueError(
                    f"prior_count={self.prior_count} needs class_embeddings; "
                    "without them use 0 or None."
                )
            self.embeddings_, self.read_share_ = np.eye(n_classes), 1.0
        else:
            prior = 40 * n_classes if self.prior_count is None else self.prior_count
            self.embeddings_ = embedding_rows(self.class_embeddings, self.classes_, rows.shape[1])
            self.read_share_ = n_rows / (prior + n_rows)
        self._memorise(rows, codes)

    def _scores(self, rows: FloatArray) -> FloatArray:
        read = in_batches(self._read, rows)
        if self.class_embeddings is None:
            return read
        prediction = (1 - self.read_share_) * rows + self.read_share_ * read
        return LOGIT_SCALE * unit(prediction) @ self.embeddings_.T

    def _stored(self) -> Sequence[AnyArray]:
        kept = self._kept()
        return kept if self.class_embeddings is None else [*kept, self.embeddings_]

    @abstractmethod
    def _memorise(self, keys: FloatArray, codes: IntArray) -> None:
        """Keep what `_read` needs; the value of key i is ``embeddings_[codes[i]]``."""

    @abstractmethod
    def _read(self, queries: FloatArray) -> FloatArray:
        """Read a few checked queries."""

    @abstractmethod
    def _kept(self) -> list[AnyArray]:
        """List the arrays that `_read` uses, class embeddings aside."""
