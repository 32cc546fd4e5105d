"""One state of a task: a model that is never changed, and the hash of what it learned."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

from sklearn.base import clone

from faast._utils.arrays import FloatArray
from faast.core.persistence import content_hash, load
from faast.estimators import TextClassifier
from faast.estimators.targets import TargetKind
from faast.serve.tasks.log import Step


@dataclass(frozen=True, eq=False)
class TaskState:
    """A model after one of the changes of a task; readers share it without locks.

    Attributes
    ----------
    model : TextClassifier
        Unfitted where no row is learned.
    """

    model: TextClassifier
    _solving: Lock = field(default_factory=Lock, init=False, repr=False)

    @classmethod
    def empty(cls, encoder: str) -> TaskState:
        """Return the state before the first row.

        Raises
        ------
        ValueError
            If there is no such encoder, or it is one that `faast serve` cannot use.
        """
        return cls(_require_served(TextClassifier(encoder), f"the encoder {encoder}"))

    @classmethod
    def load(cls, path: Path) -> TaskState:
        """Return the state that a model file holds; errors as for `faast.load`, and of `empty`."""
        return cls(_require_served(load(path), str(path)))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all that was learned: equal for equal states, however they came about."""
        if not self.n_rows:
            return content_hash({}, {})
        memory = self.model.learned_
        assert memory is not None
        learned = memory.to_state()
        return content_hash(learned.tensors, learned.metadata)

    @property
    def n_rows(self) -> int:
        """Number of learned rows."""
        return int(self.model.n_rows_) if self.model.is_fitted else 0

    @property
    def nbytes(self) -> int:
        """Bytes of what is learned; weights that are not solved yet are not counted."""
        memory = self.model.learned_ if self.n_rows else None
        return 0 if memory is None else memory.nbytes

    @property
    def classes(self) -> dict[str, int]:
        """Number of learned rows of each class, in the order of probabilities."""
        if not self.n_rows:
            return {}
        counts = self.model.class_counts_.astype(int).tolist()
        return dict(zip(self.model.classes_.tolist(), counts, strict=True))

    def apply(self, steps: Sequence[Step]) -> TaskState:
        """Return the state after a change; this one stays as it is.

        Raises
        ------
        ValueError
            If a row to forget was never learned.
        """
        learned = [(step.text, step.new) for step in steps if step.new is not None]
        forgotten = [(step.text, step.old) for step in steps if step.old is not None]
        model = copy.copy(self.model)
        if learned:  # first, so that a class whose only row is exchanged stays
            model.partial_fit(*map(list, zip(*learned, strict=True)))
        if forgotten:
            model.forget(*map(list, zip(*forgotten, strict=True)))
        if not model.n_rows_:
            model = clone(self.model)
        return TaskState(model)

    def solve(self) -> None:
        """Solve the weights, once; later callers find them solved."""
        with self._solving:
            _ = self.model.weights_

    def probabilities(self, texts: list[str]) -> FloatArray:
        """Return the probability of each class, (n, C), for n texts."""
        self.solve()
        return self.model.predict_proba(texts)

    def left_out_probabilities(self, texts: list[str], labels: list[str]) -> FloatArray:
        """Return the probabilities of learned rows, each by the model without this row."""
        self.solve()
        return self.model.loo_proba(texts, labels)


def _require_served(model: object, what: str) -> TextClassifier:
    """Return a model of texts that can be taught and that forgets exactly; else raise."""
    if not isinstance(model, TextClassifier):
        raise ValueError(
            f"{what} holds a {type(model).__name__}; faast serve takes a TextClassifier, as "
            "faast learn makes from texts with labels"
        )
    if model.encoder_ is None or not model.encoder_.reproducible:
        raise ValueError(
            f"{what} uses {model.encoder_name}, which gives a text slightly different features in "
            "another batch; faast serve needs an encoder such as hashing, to replay its log to the "
            "same bits"
        )
    if model.is_fitted:
        if model.learned_ is None:
            raise ValueError(f"{what} was compacted and cannot learn; use the model it was made of")
        if model.learned_.kind is not TargetKind.LABEL or model.classes_.dtype.kind not in "UO":
            raise ValueError(f"{what} must have one label per row, and labels that are texts")
    return model
