"""What a solved classifier says of rows: labels, probabilities, sets of labels, novelty.

FaastClassifier: closed-form classification that learns, forgets, merges and grows classes.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Hashable, Mapping
from typing import Any, Self

import numpy as np
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import as_weights
from faast.core.persistence import State, persistent
from faast.core.weights import FastWeights
from faast.estimators.base import COMPACTED, MemoryEstimator, without_weightless
from faast.estimators.class_memory import ONE_HOT_SCALE, ClassMemory
from faast.estimators.head import Head, HeadRule
from faast.estimators.labels import (
    as_labels,
    as_targets,
    describe_labels,
    distinct,
    labels_from,
    named_embeddings,
)
from faast.estimators.memory import SELECTION_ROWS
from faast.estimators.natural.memory import NaturalMemory
from faast.estimators.onnx import write_onnx
from faast.solvers import Natural, Solver
from faast.solvers.calibration import nonconformity_score


class HeadPredictions(MemoryEstimator):
    """Predictions of an estimator that has a `Head`."""

    @abstractmethod
    def _fitted(self) -> Head:
        """Return the head, or say that there is none yet."""

    @property
    def classes_(self) -> AnyArray:
        """Labels that can be predicted."""
        return self._fitted().classes

    @property
    def weights_(self) -> FastWeights:
        """The fast weights that read a query."""
        return self._fitted().weights

    @property
    def temperature_(self) -> float:
        """What scores are divided by before the softmax."""
        return self._fitted().temperature

    def decision_function(self, X: Any) -> FloatArray:
        """Score rows.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n, C), or (n,) for two classes: positive for ``classes_[1]``
        """
        scores = self._scores(X)
        if scores.shape[1] == 2 and not self._fitted().multilabel:
            return scores[:, 1] - scores[:, 0]
        return scores

    def predict_proba(self, X: Any) -> FloatArray:
        """Estimate class probabilities: ndarray of shape (n, C); of each column for indicators."""
        scores = self._scores(X) / self.temperature_
        return expit(scores) if self._fitted().multilabel else softmax(scores, axis=1)

    def predict(self, X: Any) -> AnyArray:
        """Predict labels: ndarray of shape (n,); an indicator matrix where one was learned."""
        scores = self._scores(X)
        if self._fitted().multilabel:
            return (scores > 0).astype(np.int64)
        return self.classes_[scores.argmax(axis=1)]

    def predict_set(self, X: Any, coverage: float = 0.9) -> AnyArray:
        """Name all labels that a row may well have; the true one is among them by coverage.

        A class c stays in the set of a row x unless -log p_c(x) is larger than for all but a share
        1 - coverage of the kept rows, each in its own class with itself left out (conformal
        prediction; Vovk et al. 2005). Leave-one-out scores come in closed form, so no row has to be
        set aside for calibration and no model has to be fitted again. Jackknife+ (Barber et al.
        2021) guarantees 1 - 2 (1 - coverage) for exchangeable rows; about the coverage is what it
        gives.

        Parameters
        ----------
        X : array-like of shape (n, d)
        coverage : float
            In (0, 1): share of the rows whose own label is to be in the set.

        Returns
        -------
        ndarray of shape (n, C), bool
            May have rows with several classes, and rows with none.

        Raises
        ------
        ValueError
            A coverage out of range, a multi-label model, or no row was kept.
        """
        if not 0.0 < coverage < 1.0:
            raise ValueError(f"coverage must be between 0 and 1, got {coverage}")
        head = self._fitted()
        if head.calibration_scores is None:
            raise ValueError(
                "prediction sets need leave-one-out scores of single labels: learn labels, not an "
                "indicator matrix, at least two rows, and keep some (selection_rows > 0)"
            )
        strange = nonconformity_score(self._scores(X) / head.temperature)
        return head.calibration_scores.p_values(strange) > 1.0 - coverage

    def predict_confident(self, X: Any, coverage: float = 0.9) -> np.ma.MaskedArray[Any, Any]:
        """Predict where one label stands out, abstain elsewhere.

        Parameters
        ----------
        X, coverage
            See `predict_set`.

        Returns
        -------
        masked array of shape (n,)
            Labels as from `predict`, masked where `predict_set` holds none (none of these) or
            several (no telling which). A row of another domain may well look like one class: it is
            `novelty_score` that finds those.
        """
        sets = self.predict_set(X, coverage)
        return np.ma.masked_array(self.predict(X), mask=sets.sum(axis=1) != 1)

    def novelty_score(self, X: Any) -> FloatArray:
        """Score how unlike everything learned rows are: unseen classes and other domains.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,), float64
            Larger is more novel; see `faast.estimators.novelty.Novelty`.

        Raises
        ------
        ValueError
            The model was not made with ``novelty=True``, is multi-label, or kept no row.
        """
        novelty = self._fitted().novelty
        if novelty is None:
            raise ValueError(
                "novelty_score needs FaastClassifier(novelty=True), single labels, and at least "
                "two rows of which some are kept (selection_rows > 0)"
            )
        X = self._rows(X, first=False)
        return novelty.score(X, self._scores(X) / self.temperature_)

    def _scores(self, X: Any) -> FloatArray:
        head = self._fitted()
        scores = head.read(self._rows(X, first=False))
        return scores - 0.5 if head.multilabel else scores


@persistent("classifier")
class FaastClassifier(ClassifierMixin, HeadPredictions):
    """Classification on frozen features in closed form.

    Rows are learned in one pass, in any order and batching with the same answer; classes may be
    new at any `partial_fit`; forgetting rows leaves the state as if they had never been seen.

    Parameters
    ----------
    solver : "auto", Solver or Natural
        "auto" chooses by leave-one-out; nothing is to be tuned. `Natural` is sequential: the order
        of rows matters, and nothing can be forgotten or merged.
    class_embeddings : mapping of label to vector, or ndarray of shape (C, d), optional
        What the frozen model already says (zero-shot), weighed against the rows and fading as they
        arrive. Its labels are classes before any row is learned. An array belongs to the sorted
        labels of the first rows learned.
    class_weight : "balanced" or mapping of label to float, optional
        A mapping multiplies the sample weights when rows are learned.
    novelty : bool
        Keep what `novelty_score` needs.
    prior_count : float, optional
        The paper's N0, for `class_embeddings` beside a named solver: a prediction is read from the
        memory by N / (N0 + N), else from the embeddings. 40 a class by default. With "auto" the
        rows decide instead.
    selection_rows : int
        Rows kept for selection; see `AssociativeMemory`. With "auto", up to 12,288 rows of at most
        1,024 features are kept as they are; past that, their lifted moments.
    key_scale : float or ndarray, optional
        Powers of two; see `Moments`. Give it where rows of norm above 2 are to be merged, or
        learned in any order with the same bits.

    Attributes
    ----------
    classes_ : ndarray of shape (C,)
        Sorted, of the labels' own dtype; for an indicator matrix the column numbers.
    temperature_ : float
        Scores are divided by it before the softmax.
    weights_ : FastWeights
        What reads a query.
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
        solver: Solver | Natural | str = "auto",
        class_embeddings: AnyArray | Mapping[Hashable, AnyArray] | None = None,
        class_weight: Mapping[Hashable, float] | str | None = None,
        novelty: bool = False,
        *,
        prior_count: float | None = None,
        selection_rows: int = SELECTION_ROWS,
        key_scale: float | AnyArray | None = None,
    ) -> None:
        self.solver = solver
        self.class_embeddings = class_embeddings
        self.class_weight = class_weight
        self.novelty = novelty
        self.prior_count = prior_count
        self.selection_rows = selection_rows
        self.key_scale = key_scale

    learned_: ClassMemory | NaturalMemory | None
    _last_fit: tuple[AnyArray, AnyArray] | None = None
    _head: Head

    # -- learning ------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn rows from nothing.

        Parameters
        ----------
        X : array-like of shape (n, d), any real dtype
        y : array-like of shape (n,), labels; or an indicator matrix of shape (n, C)
        sample_weight : array-like of shape (n,), optional

        Raises
        ------
        ValueError
            Wrong shapes or types, NaN or inf (named by row).
        """
        return self._learn(X, y, sample_weight, first=True)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Learn more rows, of known or new classes; as `fit` otherwise.

        Parameters
        ----------
        classes : array-like, optional
            Ignored, scikit-learn passes it: classes need not be announced.
        """
        return self._learn(X, y, sample_weight, first=not self.__sklearn_is_fitted__())

    def forget(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Forget rows that were learned, as if they had never been seen.

        A class whose last row is forgotten disappears.

        Raises
        ------
        ValueError
            Rows that cannot have been learned. While all rows are kept that is any row that was
            not; past `selection_rows` it is what would make a count negative. What cannot be told
            from learned rows silently falsifies the memory.
        """
        self._learned().forget(*self._checked(X, y, sample_weight, first=False))
        return self

    def merge(self, other: FaastClassifier) -> Self:
        """Learn everything another classifier has learned; the classes are united.

        Raises
        ------
        ValueError
            Other widths or scales, or one classifier is multi-label and the other is not.
        """
        self._learned().merge(other._learned())
        return self

    def _learn(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Self:
        X, y, weights = self._checked(X, y, sample_weight, first=first)
        if first:
            if not len(X) and self.class_embeddings is None:
                raise ValueError("fit needs at least one row of a weight other than zero")
            learned = self._nothing(y)
        else:
            learned = self._learned()
        learned.learn(X, y, weights)
        self.learned_ = learned
        if first:
            self._last_fit = None
            few = len(X) <= self.selection_rows and y.ndim == 1
            if few and isinstance(learned, ClassMemory):
                self._last_fit = learned.memory.hashes(X), y
        return self

    def _nothing(self, y: AnyArray) -> ClassMemory | NaturalMemory:
        """Begin, for targets of this kind."""
        if isinstance(self.solver, Natural):
            self._require_plain()
            return NaturalMemory(
                self.solver,
                named_embeddings(self.class_embeddings, y, self.n_features_in_)
                if y.ndim == 1
                else None,
            )
        memory = self._new_memory(value_scale=ONE_HOT_SCALE, lifts=self._rule.auto and y.ndim == 1)
        return ClassMemory(
            memory, y.ndim == 2, named_embeddings(self.class_embeddings, y, self.n_features_in_)
        )

    def _require_plain(self) -> None:
        """Refuse what needs moments."""
        asked = {
            'class_weight="balanced"': self.class_weight == "balanced",
            "novelty=True": self.novelty,
        }
        for name, given in asked.items():
            if given:
                raise ValueError(
                    f"{name} needs a solver that works from moments, such as the default; "
                    "Natural() learns from a stream"
                )

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool
    ) -> tuple[AnyArray, AnyArray, FloatArray | None]:
        X = self._rows(X, first=first)
        y = as_targets(y)
        return without_weightless(X, y, self._weighted(y, sample_weight))

    def _weighted(self, y: AnyArray, sample_weight: Any) -> Any:
        """Multiply sample weights by the class weights of a mapping."""
        if self.class_weight is None or self.class_weight == "balanced":
            return sample_weight
        if not isinstance(self.class_weight, Mapping):
            raise ValueError(
                'class_weight must be None, "balanced" or a mapping of label to weight, got '
                f"{self.class_weight!r}"
            )
        if y.ndim == 2:
            raise ValueError("class_weight has no meaning for an indicator matrix; weight the rows")
        factors = np.array([self.class_weight.get(label, 1.0) for label in y.tolist()])
        weights = as_weights(sample_weight, len(y))
        return factors if weights is None else weights * factors

    # -- what was learned ------------------------------------------------------------------

    @property
    def n_rows_(self) -> float:
        """Rows learned, or the sum of their weights; nothing is known of it once compacted."""
        return self._learned().n_rows

    @property
    def nbytes(self) -> int:
        """Bytes held in memory: weights alone once compacted, else with all that was learned."""
        held = self._fitted().nbytes
        return held if self.learned_ is None else held + self.learned_.nbytes

    @property
    def n_random_features_(self) -> int:
        """Columns of the rows' lift that prediction reads beside the rows; 0 without a lift."""
        lifted = self._fitted().lifted
        return 0 if lifted is None else lifted.weights.matrix.shape[0]

    @property
    def online_losses_(self) -> list[float]:
        """Log-loss of each block before it was learned, by the step it chose; of `Natural` only.

        Raises
        ------
        AttributeError
            Another solver.
        """
        learned = self._learned()
        if not isinstance(learned, NaturalMemory):
            raise AttributeError("online_losses_ are there with solver=Natural() only")
        return learned.online_losses

    @property
    def loo_proba_(self) -> FloatArray:
        """Probabilities of the rows of the last `fit`, each as if it had not been learned.

        ndarray of shape (n, C), rows in their order (those of weight 0 left out): what cleanlab
        takes as ``pred_probs``.

        Raises
        ------
        ValueError
            The last fit had more rows than `selection_rows`, so that not all are kept.
        """
        places = self._learned().places(*self._last_fit) if self._last_fit is not None else None
        scores = self._fitted().loo_scores
        if places is None or scores is None:
            raise ValueError(
                "leave-one-out probabilities are there for the rows of a fit in this process, up "
                f"to selection_rows={self.selection_rows} of them, until they are forgotten"
            )
        return softmax(scores[places] / self.temperature_, axis=1)

    def _fitted(self) -> Head:
        check_is_fitted(self)
        return self._head if self.learned_ is None else self.learned_.head(self._rule)

    # -- the rest ------------------------------------------------------------------------------

    def compact(self) -> FaastClassifier:
        """Return a copy for deployment: weights only, no moments or rows, no more learning."""
        head = self._fitted()
        twin: FaastClassifier = clone(self)
        twin.n_features_in_ = self.n_features_in_
        twin.learned_, twin._head = None, head
        return twin

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write what predicts as an ONNX graph; see `write_onnx`."""
        write_onnx(self._fitted(), path)

    def to_state(self) -> State:
        """Return what a file keeps."""
        if self.learned_ is None:
            part = {"head": self._head.to_state()}
        else:
            part = {"learned": self.learned_.to_state(self._rule)}
        return State.joined(part, n_features=self.n_features_in_, settings=self._settings())

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore what `to_state` returned."""
        restored = cls(**cls._settings_from(state.metadata["settings"]))
        restored.n_features_in_ = int(state.metadata["n_features"])
        if "learned" in state.metadata:
            kind = NaturalMemory if isinstance(restored.solver, Natural) else ClassMemory
            restored.learned_ = kind.from_state(state.part("learned"), restored._rule)
        else:
            restored.learned_, restored._head = None, Head.from_state(state.part("head"))
        return restored

    def _settings(self) -> dict[str, Any]:
        described: Any = self.class_weight
        if isinstance(self.class_weight, Mapping):
            labels = distinct(as_labels(list(self.class_weight)))
            factors = [float(self.class_weight[label]) for label in labels.tolist()]
            described = [describe_labels(labels), factors]
        return {
            **super()._settings(),
            "class_weight": described,
            "novelty": self.novelty,
            "prior_count": self.prior_count,
        }

    @classmethod
    def _settings_from(cls, described: dict[str, Any]) -> dict[str, Any]:
        weight = described["class_weight"]
        if isinstance(weight, list):
            weight = dict(zip(labels_from(weight[0]).tolist(), weight[1], strict=True))
        return {**super()._settings_from(described), "class_weight": weight}

    @property
    def _rule(self) -> HeadRule:
        return HeadRule(
            isinstance(self.solver, str),
            self.class_weight == "balanced",
            self.prior_count,
            self.novelty,
        )

    def _learned(self) -> ClassMemory | NaturalMemory:
        check_is_fitted(self)
        if self.learned_ is None:
            raise ValueError(COMPACTED)
        return self.learned_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = not isinstance(self.solver, Natural)
        return tags
