"""Head: all that a classifier needs to predict, solved from a class memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.threads import threads_for
from faast.core.grid import UNIT_ERROR
from faast.core.moments import Moments
from faast.core.state import NOT_STORED, Array, Range, Stored
from faast.core.weights import FastWeights
from faast.estimators.answers import LeftOutAnswers
from faast.estimators.class_memory import ClassMemory
from faast.estimators.novelty import Novelty, SurvivalFunction
from faast.estimators.only_rows import without_only_rows
from faast.estimators.targets import CLASSES, KIND, TargetKind, check_order
from faast.solvers import ClassPrior, Solution, Solver
from faast.solvers.calibration import judge

NO_ROWS: IntArray = np.zeros(0, np.intp)

ZERO_SHOT_TEMPERATURE = 0.01
"""The temperature of CLIP; without rows there is nothing to fit one to."""


@dataclass(frozen=True, eq=False)
class ClassShares(Stored):
    """Answers rows that say nothing: with the shares of the classes among the learned rows.

    Attributes
    ----------
    shares : ndarray of shape (C,)
        Positive, of sum 1; one row more per class was counted than learned.
    columns : ndarray of shape (d,), uint8
        1 for columns in which a learned row is not 0. A row that is 0 in all of these is blank.
    """

    shares: Annotated[FloatArray, Array("C", minimum=1e-300)]
    columns: Annotated[AnyArray, Array("d", dtypes=("uint8",))]

    @classmethod
    def from_moments(cls, moments: Moments, balanced: bool) -> ClassShares | None:
        """Count classes and columns; None if rows do not have norm 1, so that 0 may say much."""
        squares = moments.key_square_sum
        if abs(squares.sum() / moments.count - 1.0) > UNIT_ERROR:
            return None
        counts = np.ones(moments.n_values) if balanced else moments.value_sum + 1.0
        return cls(counts / counts.sum(), (squares > 0).astype(np.uint8))

    def find_blank(self, X: AnyArray) -> IntArray:
        """Return the indices of the rows of X (n, d) that are blank."""
        rows = np.asarray(X)
        column = rows[:, self._first_column]  # where few rows of dense features are 0
        if np.count_nonzero(column) == len(column):
            return NO_ROWS
        maybe = np.flatnonzero(column == 0)
        return maybe[~rows[maybe][:, self.columns > 0].any(axis=1)]

    @cached_property
    def _first_column(self) -> int:
        return int((self.columns > 0).argmax())


@dataclass(frozen=True, eq=False)
class Head(Stored):
    """The solved part of a classifier.

    Attributes
    ----------
    classes : ndarray of shape (C,)
    kind : TargetKind
    weights : FastWeights
    temperature : float
        Scores are divided by it before the softmax.
    thresholds : ndarray of shape (C,), or None
        Where rows may have several labels: the log-odds above which each is answered; scores are
        log-odds less thresholds.
    calibration_scores : SurvivalFunction or None
        Leave-one-out `nonconformity_score` of the sampled rows for their own class.
    answers : LeftOutAnswers or None
        Leave-one-out answers of the sampled rows.
    prior : ClassShares or None
        Answers rows that say nothing; None if rows are a table of numbers, of which none is blank.
    novelty : Novelty or None
        None unless the classifier was made with ``novelty=True``.
    loo_scores : ndarray of shape (n, C), or None
        Leave-one-out scores of the sampled rows; not written to files.
    """

    classes: Annotated[AnyArray, CLASSES]
    kind: Annotated[TargetKind, KIND]
    weights: FastWeights
    temperature: Annotated[float, Range(1e-300)]
    thresholds: Annotated[FloatArray, Array("classes")] | None = None
    calibration_scores: SurvivalFunction | None = None
    answers: LeftOutAnswers | None = None
    prior: ClassShares | None = None
    novelty: Novelty | None = None
    loo_scores: FloatArray | None = field(default=None, metadata=NOT_STORED)

    @property
    def n_features(self) -> int:
        """Number of columns of a query."""
        return len(self.weights.matrix)

    @property
    def nbytes(self) -> int:
        """Bytes that prediction and, if present, novelty scores need."""
        return self.weights.nbytes + (0 if self.novelty is None else self.novelty.nbytes)

    def score(self, X: AnyArray) -> FloatArray:
        """Score rows, (n, d) to (n, C); where rows have several labels, those above 0 are meant."""
        scores = self.weights.values_of(X)
        if self.prior is not None:
            blank = self.prior.find_blank(X)
            if len(blank):
                scores[blank] = self.temperature * np.log(self.prior.shares)
        return scores

    def is_blank(self, X: AnyArray) -> AnyArray:
        """Tell which rows (n, d) say nothing, as booleans (n,)."""
        blank = np.zeros(len(X), bool)
        if self.prior is not None:
            blank[self.prior.find_blank(X)] = True
        return blank

    def validate(self) -> None:
        """Raise ValueError if parts do not fit the classes or the features."""
        check_order(self.kind, self.classes)
        thresholds = len(self.classes) if self.thresholds is None else len(self.thresholds)
        if (self.thresholds is not None) != self.kind.several or thresholds != len(self.classes):
            raise ValueError("a head needs a threshold per label where rows may have several")
        if len(self.classes) != len(self.weights.bias) or not len(self.classes):
            raise ValueError(
                f"a head of {len(self.classes)} classes cannot have weights of "
                f"{len(self.weights.bias)} columns"
            )
        if self.prior is not None and (
            self.kind.several
            or len(self.prior.shares) != len(self.classes)
            or len(self.prior.columns) != self.n_features
        ):
            raise ValueError("class shares do not fit the classes or the features")
        geometry = None if self.novelty is None else self.novelty.geometry
        if geometry is not None and len(geometry.centre) != self.n_features:
            raise ValueError("novelty and weights read rows of different widths")


def solve_head(memory: ClassMemory, solver: Solver, prior: ClassPrior, novelty: bool) -> Head:
    """Solve a memory for the head that predicts, with one factorisation.

    Parameters
    ----------
    memory : ClassMemory
    solver : Solver
    prior : ClassPrior
    novelty : bool
        Whether to measure what `Novelty` needs.

    Raises
    ------
    ValueError
        If nothing has been learned, or the solver cannot use these values.
    """
    statistics = memory.statistics
    if statistics is None or not statistics.moments.count:
        if memory.embeddings is None:
            raise ValueError("nothing has been learned yet; call fit or partial_fit first")
        return _zero_shot_head(memory)
    if memory.kind.several:
        if not len(memory.classes):
            raise ValueError("no row that was learned has a label; learn rows that have one")
        labels = solver.fit_labels(statistics)
        return Head(
            memory.classes,
            memory.kind,
            labels.weights,
            1.0,
            labels.thresholds,
            loo_scores=labels.loo_scores,
        )
    moments, n_rows = statistics.moments, len(statistics.rows)
    with threads_for(n_rows * moments.n_features * min(n_rows, moments.n_features)):
        solution = solver.fit_classes(statistics, prior)
        scores = solution.loo_scores
    if not len(scores):
        return _head_of(memory, solution)
    logits, codes = scores / solution.temperature, statistics.rows.values.argmax(axis=1)
    judged = judge(without_only_rows(logits, codes, statistics.rows.weights, memory), codes)
    return _head_of(
        memory,
        solution,
        SurvivalFunction.from_values(judged.nonconformity, statistics.rows.weights),
        LeftOutAnswers.from_judged(judged, statistics.rows.weights),
        ClassShares.from_moments(moments, prior.balanced),
        Novelty.from_statistics(statistics, logits) if novelty else None,
        scores,
    )


def _head_of(
    memory: ClassMemory,
    solution: Solution,
    calibration_scores: SurvivalFunction | None = None,
    answers: LeftOutAnswers | None = None,
    prior: ClassShares | None = None,
    novelty: Novelty | None = None,
    loo_scores: FloatArray | None = None,
) -> Head:
    return Head(
        memory.classes,
        memory.kind,
        solution.weights,
        solution.temperature,
        None,
        calibration_scores,
        answers,
        prior,
        novelty,
        loo_scores,
    )


def _zero_shot_head(memory: ClassMemory) -> Head:
    """Return a head that scores rows by the class embeddings alone."""
    embeddings = memory.embedding_matrix()
    assert embeddings is not None
    weights = FastWeights(embeddings.T, np.zeros(len(embeddings)), 0, 1.0, 0.0)
    shares, columns = np.full(len(embeddings), 1.0 / len(embeddings)), np.ones(len(weights.matrix))
    prior = ClassShares(shares, columns.astype(np.uint8))
    return Head(memory.classes, memory.kind, weights, ZERO_SHOT_TEMPERATURE, prior=prior)


def require_fit(head: Head, memory: ClassMemory | None, n_features: int) -> None:
    """Raise ValueError if a head cannot have been solved from this memory."""
    if head.n_features != n_features:
        raise ValueError(f"the head reads {head.n_features} features, the model {n_features}")
    if memory is None:
        return
    if head.kind is not memory.kind or not np.array_equal(head.classes, memory.classes):
        raise ValueError("the head predicts other classes than were learned")
    statistics = memory.statistics
    if statistics is not None and statistics.moments.n_features != n_features:
        raise ValueError("the statistics are of rows with another number of features")
