"""What a classifier predicts with: weights, labels and a temperature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faast._typing import AnyArray
from faast.confidence import fit_temperature
from faast.estimators.class_memory import ClassMemory
from faast.estimators.labels import describe_labels, labels_from
from faast.state import State
from faast.weights import FastWeights


@dataclass(frozen=True, eq=False)
class Head:
    """The solved part of a classifier, all that prediction needs.

    Attributes
    ----------
    classes : ndarray of shape (C,)
    multilabel : bool
    weights : FastWeights
    temperature : float
    """

    classes: AnyArray
    multilabel: bool
    weights: FastWeights
    temperature: float

    @classmethod
    def of(cls, learned: ClassMemory) -> Head:
        """Solve what a class memory has learned."""
        memory = learned.memory
        weights, temperature = memory.weights, 1.0
        if memory.rows is not None and len(memory.rows) > 1:
            scores, codes = memory.loo_values(), memory.rows.values.argmax(axis=1)
            temperature = fit_temperature(scores, codes, memory.rows.weights)
        return cls(learned.classes, learned.multilabel, weights, temperature)

    def to_state(self) -> State:
        """Return what a file keeps."""
        return State.joined(
            {"weights": self.weights.to_state()},
            classes=describe_labels(self.classes),
            multilabel=self.multilabel,
            temperature=self.temperature,
        )

    @classmethod
    def from_state(cls, state: State) -> Head:
        """Restore what `to_state` returned."""
        metadata = state.metadata
        return cls(
            labels_from(metadata["classes"]),
            bool(metadata["multilabel"]),
            FastWeights.from_state(state.part("weights")),
            float(metadata["temperature"]),
        )
