"""What a classifier predicts with: weights, labels and a temperature; and how it comes about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.persistence import State
from faast.core.statistics import equal_priors
from faast.core.weights import FastWeights, FeatureWeights
from faast.estimators.labels import describe_labels, labels_from
from faast.estimators.memory import AssociativeMemory
from faast.estimators.novelty import Novelty, Tail
from faast.solvers.auto import select
from faast.solvers.calibration import fit_temperature, nonconformity_score

PAPER_PRIOR_ROWS = 40.0
"""Prior count N0 a class (METHOD of arXiv 2605.04651)."""


@dataclass(frozen=True, eq=False)
class Head:
    """The solved part of a classifier, all that prediction needs.

    Attributes
    ----------
    classes : ndarray of shape (C,)
    multilabel : bool
    weights : FastWeights
    lifted : FeatureWeights or None
        To be added to what the weights read.
    temperature : float
    loo_scores : ndarray of shape (n, C), or None
        Scores of the kept rows without themselves; not kept in files.
    calibration_scores : Tail or None
        Of the kept rows' `nonconformity_score` in their own class, without themselves.
    novelty : Novelty or None
        Where it was asked for.
    """

    classes: AnyArray
    multilabel: bool
    weights: FastWeights
    lifted: FeatureWeights | None
    temperature: float
    loo_scores: FloatArray | None = None
    calibration_scores: Tail | None = None
    novelty: Novelty | None = None

    def read(self, X: AnyArray) -> FloatArray:
        """Score rows: (n, d) to (n, C)."""
        scores = self.weights.read(X)
        return scores if self.lifted is None else scores + self.lifted.read(X)

    @property
    def nbytes(self) -> int:
        """Bytes that prediction needs."""
        held = self.weights.nbytes + (0 if self.lifted is None else self.lifted.nbytes)
        return held if self.novelty is None else held + self.novelty.nbytes

    def to_state(self) -> State:
        """Return what a file keeps."""
        parts = {"weights": self.weights.to_state()}
        for name in ("lifted", "calibration_scores", "novelty"):
            part = getattr(self, name)
            if part is not None:
                parts[name] = part.to_state()
        return State.joined(
            parts,
            classes=describe_labels(self.classes),
            multilabel=self.multilabel,
            temperature=self.temperature,
        )

    @classmethod
    def from_state(cls, state: State) -> Head:
        """Restore what `to_state` returned."""
        metadata = state.metadata
        optional: dict[str, type[FeatureWeights | Tail | Novelty]] = {
            "lifted": FeatureWeights,
            "calibration_scores": Tail,
            "novelty": Novelty,
        }
        parts: dict[str, Any] = {
            name: kind.from_state(state.part(name)) if name in metadata else None
            for name, kind in optional.items()
        }
        return cls(
            classes=labels_from(metadata["classes"]),
            multilabel=bool(metadata["multilabel"]),
            weights=FastWeights.from_state(state.part("weights")),
            temperature=float(metadata["temperature"]),
            **parts,
        )


@dataclass(frozen=True)
class HeadRule:
    """How a head is solved from a memory.

    Parameters
    ----------
    auto : bool
        By `select`; else by the memory's own solver.
    balanced : bool
        As if all classes had equally many rows: means keep, the scatter stays pooled, counts are
        made equal.
    prior_count : float or None
        The paper's N0 for class embeddings beside a named solver; 40 a class where None.
    novelty : bool
        Measure what `Novelty` needs.
    """

    auto: bool
    balanced: bool
    prior_count: float | None
    novelty: bool

    def solve(
        self,
        memory: AssociativeMemory,
        classes: AnyArray,
        embeddings: FloatArray | None,
        multilabel: bool,
    ) -> Head:
        """Solve a memory whose values are the classes' columns."""
        head = self._solved(memory, classes, embeddings, multilabel)
        learned, scores = memory.learned, head.loo_scores
        if multilabel or learned is None or scores is None or not len(scores):
            return head
        logits, codes = scores / head.temperature, learned.rows.values.argmax(axis=1)
        own = nonconformity_score(logits)[np.arange(len(codes)), codes]
        novelty = Novelty.of(learned.moments, learned.rows, logits) if self.novelty else None
        return replace(head, calibration_scores=Tail.of(own, learned.rows.weights), novelty=novelty)

    def _solved(
        self,
        memory: AssociativeMemory,
        classes: AnyArray,
        embeddings: FloatArray | None,
        multilabel: bool,
    ) -> Head:
        learned = memory.learned
        if learned is None or memory.count == 0:
            if embeddings is None:
                raise ValueError("nothing has been learned yet; call fit or partial_fit first")
            return _zero_shot_head(classes, embeddings)
        moments, rows = learned.moments, learned.rows
        if self.auto and not multilabel:
            chosen = select(learned, embeddings, balanced=self.balanced)
            return Head(classes, False, chosen.weights, chosen.lifted, 1.0, chosen.loo_scores)
        if self.balanced:
            moments, rows = equal_priors(moments, rows)
            weights = memory.solver.solve(moments, rows)
        else:
            weights = memory.weights
        scores = None
        if len(rows) > 1:
            scores = memory.solver.loo_values(moments, rows, weights)
        if embeddings is not None:
            share = self._share(memory.count, len(classes))
            kept = moments.from_grid(rows.keys, rows.values)[0]
            zero_shot = kept @ embeddings.T
            similar = embeddings @ embeddings.T
            matrix = (1.0 - share) * embeddings.T + share * weights.matrix @ similar
            weights = replace(weights, matrix=matrix, bias=share * weights.bias @ similar)
            scores = None if scores is None else (1 - share) * zero_shot + share * scores @ similar
        temperature = 1.0
        if scores is not None and not multilabel:
            temperature = fit_temperature(scores, rows.values.argmax(axis=1), rows.weights)
        return Head(classes, multilabel, weights, None, temperature, scores)

    def _share(self, count: float, n_classes: int) -> float:
        """R = N / (N0 + N): how much of a prediction is read from the memory."""
        prior = PAPER_PRIOR_ROWS * n_classes if self.prior_count is None else self.prior_count
        return count / (prior + count)


def _zero_shot_head(classes: AnyArray, embeddings: FloatArray) -> Head:
    matrix = np.ascontiguousarray(embeddings.T)
    weights = FastWeights(matrix, np.zeros(len(classes)), 0, 1.0, 0.0)
    return Head(classes, False, weights, None, 0.01)
