"""A classifier with a class memory; its head is solved at the first prediction after a change."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from sklearn.base import clone

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.state import State
from faast.core.statistics import Statistics
from faast.estimators.base import COMPACTED
from faast.estimators.class_memory import ClassMemory
from faast.estimators.class_names import ClassNamesMixin, Names
from faast.estimators.class_record import ClassRecord
from faast.estimators.conformal import ConformalClassifier
from faast.estimators.head import Head, require_fit, solve_head
from faast.estimators.labels import as_labels
from faast.estimators.left_out import NEVER_LEARNED, LeftOut, find_rows
from faast.estimators.onnx import write_onnx
from faast.estimators.raw_rows import as_list, is_visible
from faast.estimators.settings import describe_settings, settings_from
from faast.estimators.tables import Answers, TablesMixin, class_answers
from faast.estimators.targets import TargetKind, Targets
from faast.solvers import ClassPrior, Solution, Solver, as_solver

if TYPE_CHECKING:  # scikit-learn's pipelines take long to import
    from sklearn.pipeline import Pipeline


class _Rule(NamedTuple):
    """Settings by which a head is solved from a memory."""

    solver: Solver
    balanced: bool
    prior_count: float | None
    novelty: bool

    def solve(self, memory: ClassMemory) -> Head:
        return solve_head(memory, self.solver, self._prior(memory), self.novelty)

    def solution(self, memory: ClassMemory) -> Solution:
        """Solve a memory of classes with rows; unlike a head, a solution can leave out any row."""
        assert memory.statistics is not None
        return self.solver.fit_classes(memory.statistics, self._prior(memory))

    def _prior(self, memory: ClassMemory) -> ClassPrior:
        return ClassPrior(memory.embedding_matrix(), self.prior_count, self.balanced)


class MemoryClassifier(ClassNamesMixin, ConformalClassifier, TablesMixin):
    """Base class that solves a head from a class memory, and saves and exports both.

    Subclasses implement learning: they set `learned_` to another `ClassMemory`.
    """

    solver: Solver | str
    class_weight: Mapping[Hashable, float] | str | None
    novelty: bool
    labels: Sequence[str]
    prior_count: float | None
    selection_rows: int
    learned_: ClassMemory | None
    _compact_head: Head | None = None
    _record: ClassRecord = ClassRecord()
    _last_fit: tuple[AnyArray, Targets] | None = None

    @abstractmethod
    def _begin(self, kind: TargetKind, labels: AnyArray) -> ClassMemory:
        """Return a memory without rows, for targets of a kind; labels (C,) are those to come."""

    @property
    def classes_(self) -> AnyArray:
        """Labels that can be predicted; reading them solves nothing."""
        memory = self._memory_or_none()
        return self._head().classes if memory is None else memory.classes

    @property
    def class_counts_(self) -> FloatArray:
        """Number of learned rows (or sum of weights) of each class, shape (C,)."""
        return self._memory().counts

    @property
    def n_rows_(self) -> float:
        """Number of learned rows, or the sum of their weights; ValueError after `compact`."""
        return self._memory().n_rows

    @property
    def statistics_(self) -> Statistics | None:
        """Statistics of the learned rows, one column of values per class; None without rows."""
        return self._memory().statistics

    @property
    def is_exact_(self) -> bool:
        """Whether the state is bit for bit what a fit on the remaining rows would give.

        False if rows were forgotten after rows had become too many to hold (see `selection_rows`).
        Then the moments are exact, but the sample by which "auto" selects is smaller than a new
        one would be. False also once rows with weights that are not whole numbers were learned,
        whose sums are rounded.
        """
        statistics = self.statistics_
        return statistics is None or statistics.exact

    @property
    def nbytes(self) -> int:
        """Bytes held in memory: the weights and, unless compacted, all that was learned."""
        memory = self._memory_or_none()
        return self._head().nbytes + (0 if memory is None else memory.nbytes)

    @property
    def n_random_features_(self) -> int:
        """Number of columns of the random features used in prediction; 0 if none are used."""
        mapped = self._head().weights.mapped
        return 0 if mapped is None else len(mapped.matrix)

    @property
    def loo_proba_(self) -> FloatArray:
        """Leave-one-out probabilities of the rows of the last `fit`.

        ndarray of shape (n, C), in the order of the rows, without rows of weight 0. cleanlab takes
        them as ``pred_probs``.

        Raises
        ------
        ValueError
            If the rows of the last fit are not known any more; `loo_proba` takes them.
        """
        rows = self._rows_of_fit()
        return self._left_out().proba(*rows)

    def encode(self, rows: Any, *, progress: bool = False) -> AnyArray:
        """Encode rows to be predicted; blank texts become zeros, see `is_blank`.

        Parameters
        ----------
        rows, progress
            See `RawRowsMixin.encode`.

        Returns
        -------
        ndarray of shape (n, d)
        """
        if self.modality != "text":
            return super().encode(rows, progress=progress)
        texts = as_list(rows)
        features = super().encode(texts, progress=progress)
        features[[not is_visible(text) for text in texts]] = 0.0
        return features

    def predict_columns(self, X: Any) -> Answers:
        """Predict columns of answers.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        dict of str to list of length n
            "label", "probability", "runner_up" and "runner_up_probability" (with two classes or
            more), and "novelty" if it is measured; "labels" and "probabilities", with a list per
            row, where rows may have several labels.
        """
        return class_answers(*self._ask(X))

    def compact(self) -> Self:
        """Return a copy for deployment: weights only, no moments or rows, no more learning."""
        head = self._head()
        twin: Self = clone(self)
        twin._copy_features(self)
        twin._reference, twin._use_names = self._reference, self._use_names
        twin._record = self._record
        twin.learned_, twin._compact_head = None, head
        return twin

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the head, which predicts from features, as an ONNX graph.

        The graph scales features of an encoder to norm 1; see `write_onnx`.
        """
        write_onnx(self._head(), path, normalise=self._encoding() is not None)

    def to_pipeline(self) -> Pipeline:
        """Return a scikit-learn pipeline that predicts the same and cannot learn more.

        Only blank rows (see `is_blank`) are scored like any other row there.

        Raises
        ------
        ValueError
            If there are fewer than two classes of rows with one label.
        """
        from faast.estimators.pipeline import as_pipeline

        return as_pipeline(self.encoder_, self._head())

    def to_state(self) -> State:
        """Return the content to write, with the head if it is solved."""
        parts, memory, head = {}, self._memory_or_none(), self._compact_head
        if memory is not None:
            parts["learned"] = memory.to_state()
            head = memory.heads.get(self._rule())
        if head is not None:
            parts["head"] = head.to_state()
        if self._record != ClassRecord():
            parts["record"] = self._record.to_state()
        return State.join(
            parts,
            **self._feature_state(),
            settings=describe_settings(self),
            encoder=self.describe_encoder(),
            use_names=self._uses_names(),
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild a classifier; errors as for `faast.load`."""
        metadata = state.metadata
        restored = cls(**settings_from(metadata["settings"]))
        restored._restore_features(metadata)
        restored.restore_encoder(metadata["encoder"])
        restored._use_names = bool(metadata["use_names"])
        memory = ClassMemory.from_state(state.part("learned")) if "learned" in metadata else None
        if memory is not None and memory.n_features not in (None, restored.n_features_in_):
            raise ValueError("rows were learned with another number of features")
        restored.learned_ = memory
        if "record" in metadata:
            restored._record = ClassRecord.from_state(state.part("record"))
        if "head" in metadata or memory is None:
            head = Head.from_state(state.part("head"))
            require_fit(head, memory, restored.n_features_in_)
            if memory is None:
                restored._compact_head = head
            else:
                memory.heads[restored._rule()] = head
        return restored

    def _memory_or_none(self) -> ClassMemory | None:
        """Return the memory, None after `compact`; declared labels alone give one without rows."""
        if not hasattr(self, "learned_"):
            self._require_fitted()
            reference = self._encoding()
            assert reference is not None
            self.n_features_in_ = reference.encoder.n_features
            self.learned_ = self._begin(TargetKind.LABEL, np.zeros(0, dtype=np.int64))
        return self.learned_

    def _memory(self) -> ClassMemory:
        memory = self._memory_or_none()
        if memory is None:
            raise ValueError(COMPACTED)
        return memory

    @property
    def target_kind_(self) -> TargetKind | None:
        """Kind of targets that was learned; None before the first."""
        learned = getattr(self, "learned_", None) or self._compact_head
        return None if learned is None else learned.kind

    def _rule(self) -> _Rule:
        balanced = self.class_weight == "balanced"
        return _Rule(as_solver(self.solver), balanced, self.prior_count, self.novelty)

    def _head(self) -> Head:
        """Return the head, which is solved once after each change."""
        memory = self._memory_or_none()
        if memory is None:
            assert self._compact_head is not None
            return self._compact_head
        rule = self._rule()
        head = memory.heads.get(rule)
        if head is None:
            head = memory.heads[rule] = rule.solve(memory)
        return head

    def _rows_of_fit(self) -> tuple[AnyArray, Targets]:
        """Return the rows of the last fit and their targets; ValueError if they are not known."""
        last_fit, memory = self._last_fit, self._memory()
        if last_fit is None or np.any(find_rows(memory, *last_fit) == NEVER_LEARNED):
            raise ValueError(
                "the rows of the last fit are not known any more: they are kept in the process "
                f"that fitted them, up to selection_rows={self.selection_rows} of them, until some "
                "are forgotten; name the learned rows and their labels, as in "
                "loo_proba(X, y) and suspects(X, y)"
            )
        return last_fit

    def _left_out(self) -> LeftOut:
        """Return what predicts learned rows as if they had never been learned."""
        memory, rule = self._memory(), self._rule()
        head = self._head()
        if head.loo_scores is None and not memory.kind.several:  # files hold no scores of rows
            head = rule.solve(memory)
        return LeftOut(memory, head, lambda: rule.solution(memory), self._can_recall())

    def _head_without_names(self) -> Head | None:
        """Return the head solved from the rows alone; None if no row was learned."""
        memory, rule = self._memory(), self._rule()
        if memory.embeddings is None:
            return self._head()
        if not memory.n_rows:
            return None
        key = "without names", rule
        if key not in memory.heads:
            memory.heads[key] = rule.solve(memory.embed({}))
        return memory.heads[key]

    def _known_names(self) -> Names:
        memory = getattr(self, "learned_", None)
        known = None if memory is None else memory.embeddings
        return {} if known is None else known.to_mapping()

    def _declared(self) -> list[Any]:
        if isinstance(self.labels, str):
            raise TypeError(f"labels must be several names, got one string; pass [{self.labels!r}]")
        return as_labels(list(self.labels)).tolist()

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "learned_") or (len(self.labels) > 0 and self._encoding() is not None)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_last_fit"}
