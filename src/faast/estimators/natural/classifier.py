"""NaturalGradientClassifier: logistic regression in one pass over a stream."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Self

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from faast._utils.arrays import AnyArray
from faast.core.state import State
from faast.estimators.base import COMPACTED, all_or_nothing, drop_weightless
from faast.estimators.head import Head, require_fit
from faast.estimators.labels import as_targets, check_embeddings
from faast.estimators.linear_classifier import LinearClassifier
from faast.estimators.natural.memory import NaturalMemory
from faast.estimators.settings import (
    describe_weights,
    require_weighted_classes,
    weigh_by_class,
    weights_from,
)


class NaturalGradientClassifier(LinearClassifier):
    r"""Logistic regression in one pass over a stream: no backward graph, nothing to tune.

    It stands beside `FaastClassifier` as SGDClassifier stands beside RidgeClassifier: more accurate
    where rows are many, but the order of rows matters, and nothing can be forgotten or merged.

    The gradient of the log-likelihood has the values v = e_y - p. With keys k = [x; 1] and after
    each block of rows

    A ← A + η (S/n + μI)⁻¹ [mean of v kᵀ - λ (S/n) A] (G/n + λI)⁻¹,

    G and S from `Fisher`: a natural gradient step (Amari 1998) with the Fisher matrix as the
    Kronecker product S ⊗ G (cf. Martens & Grosse 2015). λ is damping and Gaussian prior at once: at
    a fixed point Σ v kᵀ = λ S A, the ridge of this geometry, the bias free. A gradient over r of n
    rows moves r / n of the way, so that η = 1 is the recursive Bayes update.

    - Each block yields one step per damping, for five dampings; the next block chooses damping and
      step length by its loss before it is learned, 0 among the choices. These losses are
      `online_losses_`.
    - Blocks are a sixteenth of what was seen, and so are cut alike however long the stream will be.
    - The gradient is taken over a uniform sample of what was seen.
    - The answer is the polynomial-decay average of the iterates (weight about t⁷; Shamir & Zhang,
      ICML 2013). If it leaves the likelihood-ratio region of the sample's own optimum (Wilks 1938),
      the stream was not exchangeable, and the optimum is the answer.

    With class embeddings e_c the pass starts at scores s xᵀ(e_c - mean e), s chosen by the first
    block with 0 among the choices, and the prior pulls there.

    Parameters
    ----------
    window : int
        Rows sampled for the gradient, held in float32.
    buffer : int
        The rows of a call are shuffled; across calls they pass through a shuffle of this many, as
        streams may be sorted by class. Much longer sorted streams lose some accuracy all the same.
    class_embeddings : mapping of label to vector, or ndarray of shape (C, d), optional
        What the frozen model already says; see `FaastClassifier`.
    class_weight : mapping of label to float, optional
        Multiplies the sample weights when rows are learned.

    Attributes
    ----------
    learned_ : NaturalMemory or None
        None once compacted.
    classes_, weights_, temperature_, n_features_in_
        See `FaastClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from faast import NaturalGradientClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = NaturalGradientClassifier().fit(X[:1200] / 64, y[:1200])
    >>> bool(model.score(X[1200:] / 64, y[1200:]) > 0.9)
    True
    """

    def __init__(
        self,
        window: int = 65536,
        buffer: int = 8192,
        *,
        class_embeddings: AnyArray | Mapping[Hashable, AnyArray] | None = None,
        class_weight: Mapping[Hashable, float] | None = None,
    ) -> None:
        self.window = window
        self.buffer = buffer
        self.class_embeddings = class_embeddings
        self.class_weight = class_weight

    learned_: NaturalMemory | None
    _compact_head: Head | None = None

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn rows from nothing.

        Parameters
        ----------
        X : array-like of shape (n, d), any real dtype
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,), optional

        Raises
        ------
        ValueError
            Wrong shapes or types, NaN or inf (named by row), or a class weight of a label that is
            no class.
        """
        y, named = as_targets(y), self.class_embeddings
        known = list(named) if isinstance(named, Mapping) else []
        require_weighted_classes(self.class_weight, y, known)
        return self._learn(X, y, sample_weight, first=True)

    @all_or_nothing
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Learn the next rows of the stream, of known or new classes; as `fit` otherwise.

        Parameters
        ----------
        classes : array-like, optional
            Ignored, scikit-learn passes it: classes need not be announced.
        """
        return self._learn(X, y, sample_weight, first=not hasattr(self, "learned_"))

    @property
    def classes_(self) -> AnyArray:
        """Labels that can be predicted, sorted; nothing is solved for them."""
        check_is_fitted(self)
        return self._head().classes if self.learned_ is None else self.learned_.classes

    @property
    def n_rows_(self) -> float:
        """Rows learned, or the sum of their weights; unknown once compacted."""
        return self._memory().n_rows

    @property
    def statistics_(self) -> None:
        """None: a pass over a stream keeps no sums of its rows."""
        return None

    @property
    def online_losses_(self) -> list[float]:
        """Log-loss of each block before it was learned, with the step it chose."""
        return self._memory().online_losses

    @property
    def nbytes(self) -> int:
        """Bytes held in memory: weights alone once compacted, else with all that was learned."""
        held = self._head().nbytes
        return held if self.learned_ is None else held + self.learned_.nbytes

    def compact(self) -> Self:
        """Return a copy for deployment that holds weights only and learns no more."""
        head = self._head()
        twin: Self = clone(self)
        twin._copy_features(self)
        twin.learned_, twin._compact_head = None, head
        return twin

    def to_state(self) -> State:
        """Return the content to write."""
        if self.learned_ is None:
            parts = {"head": self._head().to_state()}
        else:
            parts = {"learned": self.learned_.to_state()}
        settings = {
            "window": self.window,
            "buffer": self.buffer,
            "class_weight": describe_weights(self.class_weight),
        }
        return State.join(parts, **self._feature_state(), settings=settings)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild a classifier; errors as for `faast.load`."""
        settings = state.metadata["settings"]
        restored = cls(
            _rows(settings["window"], "window"),
            _rows(settings["buffer"], "buffer"),
            class_weight=weights_from(settings["class_weight"]),
        )
        restored._restore_features(state.metadata)
        restored.learned_ = None
        if "learned" in state.metadata:
            restored.learned_ = NaturalMemory.from_state(state.part("learned"))
        else:
            restored._compact_head = Head.from_state(state.part("head"))
        require_fit(restored._head(), None, restored.n_features_in_)
        return restored

    def _learn(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Self:
        X, y = self._check_features(X, first=first), as_targets(y)
        weights = weigh_by_class(self.class_weight, y, sample_weight)
        X, y, weights = drop_weightless(X, y, weights)
        if first:
            if not len(X) and self.class_embeddings is None:
                raise ValueError("fit needs at least one row of a weight other than zero")
            named = check_embeddings(self.class_embeddings, y, X.shape[1])
            window, buffer = _rows(self.window, "window"), _rows(self.buffer, "buffer")
            memory = NaturalMemory(window, buffer, named)
        else:
            memory = self._memory()
        self.learned_ = memory.learn(X, y, weights)
        return self

    def _memory(self) -> NaturalMemory:
        check_is_fitted(self)
        if self.learned_ is None:
            raise ValueError(COMPACTED)
        return self.learned_

    def _head(self) -> Head:
        check_is_fitted(self)
        if self.learned_ is not None:
            return self.learned_.head()
        assert self._compact_head is not None
        return self._compact_head


def _rows(number: Any, name: str) -> int:
    if isinstance(number, bool) or int(number) != number or number < 2:
        raise ValueError(f"{name} must be at least 2 rows, got {number!r}")
    return int(number)
