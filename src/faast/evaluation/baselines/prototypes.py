"""Classifiers that compare a row with one vector per class: its mean, or its embedding."""

from collections.abc import Sequence

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.evaluation.baselines.base import (
    LOGIT_SCALE,
    Baseline,
    ClassEmbeddings,
    ProbabilisticBaseline,
    class_means,
    stack_embeddings,
    unit,
)


class NearestClassMean(Baseline):
    """Scores are the cosines between a row and the mean of each class's unit rows.

    There are no probabilities.

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


class ZeroShot(ProbabilisticBaseline):
    """Scores are the cosines to the class embeddings times CLIP's logit scale of 100.

    `fit` takes the classes from the labels and learns nothing from the rows.

    Parameters
    ----------
    class_embeddings : mapping of label to array-like of shape (n_features,)
        One vector for each label of ``y``. Without it `fit` raises a ValueError.

    References
    ----------
    Radford et al., Learning Transferable Visual Models From Natural Language Supervision,
    arXiv:2103.00020.
    """

    def __init__(self, class_embeddings: ClassEmbeddings | None = None) -> None:
        self.class_embeddings = class_embeddings

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        if self.class_embeddings is None:
            raise ValueError(
                "ZeroShot needs class_embeddings, a mapping of each label to its vector; got None"
            )
        self.embeddings_ = stack_embeddings(self.class_embeddings, self.classes_, rows.shape[1])

    def _scores(self, rows: FloatArray) -> FloatArray:
        return LOGIT_SCALE * unit(rows) @ self.embeddings_.T

    def _stored(self) -> Sequence[AnyArray]:
        return [self.embeddings_]
