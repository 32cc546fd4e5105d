"""NaturalGradientClassifier: logistic regression in one pass over a stream."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Self

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from faast._utils.arrays import AnyArray
from faast._utils.validation import warn_light_rows
from faast.core.state import State
from faast.estimators.base import COMPACTED, all_or_nothing, drop_weightless
from faast.estimators.head import Head, require_fit
from faast.estimators.labels import check_embeddings
from faast.estimators.linear_classifier import LinearClassifier
from faast.estimators.natural.memory import NaturalMemory
from faast.estimators.settings import (
    describe_weights,
    require_weighted_classes,
    weigh_by_class,
    weights_from,
)
from faast.estimators.targets import Targets, as_targets


class NaturalGradientClassifier(LinearClassifier):
    r"""Logistic regression in one pass over a stream: no backward graph, nothing to tune.

    It compares to `FaastClassifier` as SGDClassifier to RidgeClassifier: it is more accurate with
    many rows, but the order of rows matters, and rows cannot be forgotten or models merged.

    The gradient of the log-likelihood has the values v = e_y - p. With keys k = [x; 1] and after
    each block of rows

    A ← A + η (S/n + μI)⁻¹ [mean of v kᵀ - λ (S/n) A] (G/n + λI)⁻¹,

    with G and S from `Fisher`. This is a natural gradient step (Amari 1998) with the Fisher matrix
    as the Kronecker product S ⊗ G (cf. Martens & Grosse 2015). λ is both the damping and the
    strength of a Gaussian prior: at a fixed point Σ v kᵀ = λ S A, a ridge penalty in this geometry
    that leaves the bias free. A gradient over r of n rows moves r / n of the way, so that η = 1 is
    the recursive Bayes update.

    - Each block yields one step per damping, for five dampings. The next block, before it is
      learned, chooses the damping and the step length (which may be 0) by its loss. These losses
      are `online_losses_`.
    - A block has a sixteenth as many rows as were seen, so blocks do not depend on the length of
      the stream.
    - The gradient is taken over a uniform sample of the rows seen.
    - The result is the polynomial-decay average of the iterates (weight about t⁷; Shamir & Zhang,
      ICML 2013). If it leaves the likelihood-ratio region of the sample's own optimum (Wilks 1938),
      the stream was not exchangeable, and that optimum is the result.

    With class embeddings e_c the pass starts at scores s xᵀ(e_c - mean e), where the first block
    chooses s (which may be 0); this start is also the mean of the prior.

    Parameters
    ----------
    window : int
        Number of rows sampled for the gradient; they are held in float32.
    buffer : int
        Number of rows in the buffer that shuffles rows across calls, as a stream may be sorted by
        class; the rows of one call are always shuffled. Much longer sorted runs still cost some
        accuracy.
    class_embeddings : mapping of label to vector, or ndarray of shape (C, d), optional
        What the frozen model knows of each class; see `FaastClassifier`.
    class_weight : mapping of label to float, optional
        Multiplies the sample weights when rows are learned.

    Attributes
    ----------
    learned_ : NaturalMemory or None
        None after `compact`.
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
        """Forget everything, then learn rows.

        Parameters
        ----------
        X : array-like of shape (n, d), any real dtype
        y : array-like of shape (n,)
        sample_weight : array-like of shape (n,), optional
            A weight of w counts as w copies of the row; their mean should be about 1.

        Raises
        ------
        ValueError
            If shapes or types are wrong, a row holds NaN or inf, or a class weight belongs to a
            label that is no class.
        """
        targets, named = _one_label(y), self.class_embeddings
        known = list(named) if isinstance(named, Mapping) else []
        require_weighted_classes(self.class_weight, targets, known)
        self._learn(X, targets, sample_weight, first=True)
        warn_light_rows(sample_weight, len(self.classes_))
        return self

    @all_or_nothing
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Learn the next rows of the stream, of known or new classes.

        Parameters
        ----------
        X, y, sample_weight
            See `fit`; errors as there.
        classes : array-like, optional
            Ignored. scikit-learn passes it, but classes need not be announced here.
        """
        first = not hasattr(self, "learned_")
        return self._learn(X, _one_label(y), sample_weight, first=first)

    @property
    def classes_(self) -> AnyArray:
        """Labels that can be predicted, sorted; reading them solves nothing."""
        check_is_fitted(self)
        return self._head().classes if self.learned_ is None else self.learned_.classes

    @property
    def n_rows_(self) -> float:
        """Number of learned rows, or the sum of their weights; ValueError after `compact`."""
        return self._memory().n_rows

    @property
    def statistics_(self) -> None:
        """None: a pass over a stream keeps no sums of its rows."""
        return None

    @property
    def online_losses_(self) -> list[float]:
        """Log-loss of each block before it was learned, with the step that it chose."""
        return self._memory().online_losses

    @property
    def nbytes(self) -> int:
        """Bytes held in memory: the weights and, unless compacted, all that was learned."""
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

    def _learn(self, X: Any, targets: Targets, sample_weight: Any, *, first: bool) -> Self:
        X = self._check_features(X, first=first)
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight must be None or a mapping of label to weight, got "
                f"{self.class_weight!r}: one pass does not know how many rows each class will have"
            )
        weights = weigh_by_class(self.class_weight, targets, sample_weight)
        X, targets, weights = drop_weightless(X, targets, weights)
        if first:
            if not len(X):
                raise ValueError("fit needs at least one row with a weight above zero")
            named = check_embeddings(self.class_embeddings, targets.labels, X.shape[1])
            window, buffer = _rows(self.window, "window"), _rows(self.buffer, "buffer")
            memory = NaturalMemory(window, buffer, named)
        else:
            memory = self._memory()
        self.learned_ = memory.learn(X, targets.each(), weights)
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


def _one_label(y: Any) -> Targets:
    targets = as_targets(y)
    if targets.kind.several:
        raise ValueError(
            "NaturalGradientClassifier learns one label per row, got "
            f"{targets.kind.description}; FaastClassifier learns several"
        )
    return targets


def _rows(number: Any, name: str) -> int:
    if isinstance(number, bool) or int(number) != number or number < 2:
        raise ValueError(f"{name} must be at least 2 rows, got {number!r}")
    return int(number)
