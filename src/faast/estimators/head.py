"""Head: all that a classifier needs to predict, solved from a class memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.state import NOT_STORED, Range, Stored
from faast.core.weights import FastWeights
from faast.estimators.class_memory import ClassMemory
from faast.estimators.novelty import Novelty, SurvivalFunction
from faast.estimators.targets import CLASSES, KIND, TargetKind, check_order
from faast.solvers import ClassPrior, Solution, Solver
from faast.solvers.calibration import nonconformity_score

ZERO_SHOT_TEMPERATURE = 0.01
"""The temperature of CLIP; without rows there is nothing to fit one to."""


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
    calibration_scores : SurvivalFunction or None
        Leave-one-out `nonconformity_score` of the sampled rows for their own class.
    novelty : Novelty or None
        None unless the classifier was made with ``novelty=True``.
    loo_scores : ndarray of shape (n, C), or None
        Leave-one-out scores of the sampled rows; not written to files.
    """

    classes: Annotated[AnyArray, CLASSES]
    kind: Annotated[TargetKind, KIND]
    weights: FastWeights
    temperature: Annotated[float, Range(1e-300)]
    calibration_scores: SurvivalFunction | None = None
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
        scores = self.weights.read(X)
        return scores - 0.5 if self.kind.several else scores

    def validate(self) -> None:
        """Raise ValueError if parts do not fit the classes or the features."""
        check_order(self.kind, self.classes)
        if len(self.classes) != len(self.weights.bias) or not len(self.classes):
            raise ValueError(
                f"a head of {len(self.classes)} classes cannot have weights of "
                f"{len(self.weights.bias)} columns"
            )
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
        return _head_of(memory, solver.fit(statistics))
    solution = solver.fit_classes(statistics, prior)
    scores = solution.loo_scores
    if not len(scores):
        return _head_of(memory, solution)
    logits, codes = scores / solution.temperature, statistics.rows.values.argmax(axis=1)
    own = nonconformity_score(logits)[np.arange(len(codes)), codes]
    return _head_of(
        memory,
        solution,
        SurvivalFunction.from_values(own, statistics.rows.weights),
        Novelty.from_statistics(statistics, logits) if novelty else None,
        scores,
    )


def _head_of(
    memory: ClassMemory,
    solution: Solution,
    calibration_scores: SurvivalFunction | None = None,
    novelty: Novelty | None = None,
    loo_scores: FloatArray | None = None,
) -> Head:
    return Head(
        memory.classes,
        memory.kind,
        solution.weights,
        solution.temperature,
        calibration_scores,
        novelty,
        loo_scores,
    )


def _zero_shot_head(memory: ClassMemory) -> Head:
    """Return a head that scores rows by the class embeddings alone."""
    embeddings = memory.embedding_matrix()
    assert embeddings is not None
    weights = FastWeights(embeddings.T, np.zeros(len(embeddings)), 0, 1.0, 0.0)
    return Head(memory.classes, memory.kind, weights, ZERO_SHOT_TEMPERATURE)


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
