"""FaastClassifier: closed-form classification that learns, forgets, merges and grows classes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Self

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from faast._typing import AnyArray, FloatArray, IntArray
from faast.estimators.base import MemoryEstimator, without_weightless
from faast.estimators.labels import as_labels, distinct, positions, union
from faast.memory import SELECTION_ROWS, AssociativeMemory
from faast.persistence import persistent
from faast.solvers import Solver

ONE_HOT_SCALE = 2.0**20
"""Grid scale of one-hot values: a 1 is one unit, so counts may grow to 2**63."""


@persistent("classifier")
class FaastClassifier(ClassifierMixin, MemoryEstimator):
    """Classification on frozen features in closed form.

    Rows are learned in one pass, in any order and batching with the same answer; classes may be
    new at any `partial_fit`; forgetting rows leaves the state as if they had never been seen.

    Parameters
    ----------
    solver : "auto" or Solver
        "auto" chooses by leave-one-out; nothing is to be tuned.
    class_embeddings : ndarray of shape (C, d) or mapping of label to vector, optional
        What the frozen model already says (zero-shot).
    class_weight : "balanced" or mapping of label to float, optional
        A mapping multiplies the sample weights when rows are learned.
    novelty : bool
    selection_rows : int
        Rows kept for selection; see `AssociativeMemory`.
    key_scale : float or ndarray, optional
        Powers of two; see `Moments`. Give it where rows of norm above 2 are to be merged, or
        learned in any order with the same bits.

    Attributes
    ----------
    classes_ : ndarray of shape (C,)
        Sorted, of the labels' own dtype; for an indicator matrix the column numbers.
    memory_ : AssociativeMemory
        Keys are the rows, values one-hot classes (or the indicator matrix).
    temperature_ : float
        Scores are divided by it before the softmax.
    n_features_in_ : int

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from faast import FaastClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = FaastClassifier().fit(X[:900] / 64, y[:900])
    >>> model.partial_fit(X[900:1200] / 64, y[900:1200]).forget(X[:100] / 64, y[:100])
    FaastClassifier()
    >>> bool(model.score(X[1200:] / 64, y[1200:]) > 0.9)
    True
    """

    def __init__(
        self,
        solver: Solver | str = "auto",
        class_embeddings: AnyArray | Mapping[Hashable, AnyArray] | None = None,
        class_weight: Mapping[Hashable, float] | str | None = None,
        novelty: bool = False,
        *,
        selection_rows: int = SELECTION_ROWS,
        key_scale: float | AnyArray | None = None,
    ) -> None:
        self.solver = solver
        self.class_embeddings = class_embeddings
        self.class_weight = class_weight
        self.novelty = novelty
        self.selection_rows = selection_rows
        self.key_scale = key_scale
