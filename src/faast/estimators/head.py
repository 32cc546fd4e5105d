"""What a classifier predicts with: weights, labels and a temperature."""

from __future__ import annotations

from dataclasses import dataclass

from faast._typing import AnyArray
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
