"""Memory read by softmax attention."""

from scipy.special import softmax

from faast._typing import AnyArray, FloatArray, IntArray
from faast.baselines.base import LOGIT_SCALE
from faast.baselines.memory_reader import MemoryReader


class SoftmaxMemory(MemoryReader):
    """Values averaged with weights softmax(100 x K'), over all keys.

    The paper centres each query's logits first; softmax does not change under that.

    Parameters
    ----------
    class_embeddings, prior_count
        See `MemoryReader`.

    References
    ----------
    FAAST, arXiv:2605.04651, the softmax reader.
    """

    def _memorise(self, keys: FloatArray, codes: IntArray) -> None:
        self.keys_, self.codes_ = keys, codes

    def _read(self, queries: FloatArray) -> FloatArray:
        weights = softmax(LOGIT_SCALE * queries @ self.keys_.T, axis=1)
        read: FloatArray = weights @ self.embeddings_[self.codes_]
        return read

    def _kept(self) -> list[AnyArray]:
        return [self.keys_, self.codes_]
