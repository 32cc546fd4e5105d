"""Nearest class mean."""

from collections.abc import Sequence

from faast._typing import AnyArray, FloatArray, IntArray
from faast.baselines.base import Baseline, class_means, unit


class NearestClassMean(Baseline):
    """Cosine between a row and the mean of each class's unit rows.

    References
    ----------
    Mensink et al., Distance-Based Image Classification, TPAMI 2013.
    """

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        self.means_ = unit(class_means(unit(rows), codes))

    def _scores(self, rows: FloatArray) -> FloatArray:
        cosines: FloatArray = unit(rows) @ self.means_.T
        return cosines

    def _stored(self) -> Sequence[AnyArray]:
        return [self.means_]
