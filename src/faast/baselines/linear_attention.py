"""Memory read by linear attention."""

import numpy as np

from faast._typing import AnyArray, FloatArray, IntArray
from faast.baselines.memory_reader import MemoryReader


class LinearAttention(MemoryReader):
    """Values averaged with weights phi(x)·phi(k), as a matrix of fixed size.

    With phi = elu + 1 of the row less its own mean (positive, so the weights are an average):

        read(x) = phi(x) S / (phi(x) z) - mean value,   S = sum phi(k) v',   z = sum phi(k).

    Parameters
    ----------
    class_embeddings, prior_count
        See `MemoryReader`.

    References
    ----------
    Katharopoulos et al., Transformers are RNNs, arXiv:2006.16236, equations 5 to 7; the
    centring is of FAAST, arXiv:2605.04651.
    """

    def _memorise(self, keys: FloatArray, codes: IntArray) -> None:
        values = self.embeddings_[codes]
        features = feature_map(keys)
        self.products_ = features.T @ values
        self.normaliser_ = features.sum(axis=0)
        self.mean_value_ = values.mean(axis=0)

    def _read(self, queries: FloatArray) -> FloatArray:
        features = feature_map(queries)
        average = features @ self.products_ / (features @ self.normaliser_)[:, None]
        read: FloatArray = average - self.mean_value_
        return read

    def _kept(self) -> list[AnyArray]:
        return [self.products_, self.normaliser_, self.mean_value_]


def feature_map(rows: FloatArray) -> FloatArray:
    """Map rows, less their own mean, through elu + 1."""
    centred: FloatArray = rows - rows.mean(axis=1, keepdims=True)
    mapped: FloatArray = np.where(centred > 0, centred + 1, np.exp(np.minimum(centred, 0)))
    return mapped
