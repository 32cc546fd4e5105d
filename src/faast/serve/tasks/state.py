"""One state of a task: a model that is never changed, and the hash of what it learned."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from faast._utils.arrays import FloatArray
from faast.core.persistence import content_hash, load
from faast.core.state import State
from faast.core.weights import FastWeights
from faast.encoders import EncoderMismatchError
from faast.encoders.base import Features
from faast.encoders.hashing import HashingEncoder
from faast.estimators import FaastClassifier
from faast.estimators.class_names import embed_names, is_name, name_classes
from faast.estimators.novelty import Novelty
from faast.serve.problems import RequestError
from faast.serve.tasks.counters import SOLVE_SECONDS
from faast.serve.tasks.kinds import (
    Kind,
    kind_of,
    require_served,
)
from faast.serve.tasks.model_changes import (
    Names,
    fix_scale,
    has_rows,
    learn_steps,
    move_classes,
    on_features,
    without_rows,
)
from faast.serve.tasks.records import ClassStep, RawRow, Step


@dataclass(frozen=True, eq=False)
class TaskState:
    """A model after one of the changes of a task; readers share it without locks.

    Everything is learned and forgotten as features, so that the encoder is needed only for rows
    and names of classes that nobody has encoded yet.

    Attributes
    ----------
    model : FaastClassifier
        Unfitted where there are no classes.
    added : tuple of str
        Classes that are there even without rows, sorted.
    names : mapping of label to ndarray of shape (d,)
        What the encoder says of the names of classes; empty if the model does not use names.
    """

    model: FaastClassifier
    added: tuple[str, ...] = ()
    names: Names = field(default_factory=dict)
    _solving: Lock = field(default_factory=Lock, init=False, repr=False)

    @classmethod
    def load(cls, path: Path) -> TaskState:
        """Return the state that a model file holds; errors as for `faast.load`, and ValueError."""
        model = require_served(load(path), str(path))
        memory = model.learned_
        embeddings = None if memory is None else memory.embeddings
        names = {} if embeddings is None else embeddings.to_mapping()
        return cls(model, tuple(sorted(map(str, model.labels))), _by_text(names))

    @cached_property
    def features_model(self) -> FaastClassifier:
        """The model as one that takes features; do not change it."""
        return on_features(self.model)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all that was learned: equal for equal states, however they came about."""
        memory = self.model.learned_ if self.can_answer else None
        if memory is None:
            return content_hash({}, {})
        parts = {"classes": replace(memory, statistics=None).to_state()}
        if memory.statistics is not None:
            parts["statistics"] = memory.statistics.essence()
        learned = State.join(parts)
        return content_hash(learned.tensors, learned.metadata)

    @property
    def kind(self) -> Kind:
        """Kind of the rows."""
        return kind_of(self.model)

    @property
    def can_answer(self) -> bool:
        """Whether there is a class to answer with."""
        return hasattr(self.model, "learned_")

    @property
    def is_thinned(self) -> bool:
        """Whether the model holds fewer rows than one that learns the present rows at once."""
        statistics = self.model.statistics_ if self.can_answer else None
        return statistics is not None and statistics.thinned

    @property
    def n_rows(self) -> int:
        """Number of learned rows."""
        return int(self.model.n_rows_) if self.can_answer else 0

    @property
    def width(self) -> int | None:
        """Number of features of the rows; None before there are any."""
        return int(self.model.n_features_in_) if self.can_answer else None

    @property
    def columns(self) -> list[str] | None:
        """Names of the columns of numbers that were learned; None if they have none."""
        names = getattr(self.model, "feature_names_in_", None) if self.can_answer else None
        return None if names is None else names.tolist()

    @property
    def nbytes(self) -> int:
        """Bytes of what is learned; weights that are not solved yet are not counted."""
        memory = self.model.learned_ if self.can_answer else None
        return 0 if memory is None else memory.nbytes

    @cached_property
    def classes(self) -> dict[str, int]:
        """Number of learned rows of each class that can be answered, in the order of probabilities.

        Classes without rows are among them only if the encoder knows what their names mean.
        """
        if not self.can_answer:
            return {}
        counts = self.model.class_counts_.astype(int).tolist()
        return dict(zip(self.model.classes_.tolist(), counts, strict=True))

    def resolve(self, label: str) -> str:
        """Return the class that a label stands for: itself, unless the model has it as an alias."""
        if not self.can_answer:
            return label
        return str(self.model.class_aliases_.get(label, label))

    def encode(self, rows: Sequence[RawRow]) -> Features:
        """Return the features of rows to be asked about, (n, d), float32.

        Raises
        ------
        RequestError
            If the encoder cannot be loaded, or a row cannot be encoded.
        """
        self._require_encoder()
        return _encoded(self.model.encode, rows)

    def encode_to_learn(self, rows: Sequence[RawRow]) -> Features:
        """Return the features with which rows are learned; errors as for `encode`."""
        self._require_encoder()
        return _encoded(self.model.encode_to_learn, rows)

    def new_names(self, labels: Iterable[str]) -> dict[str, FloatArray]:
        """Embed the names among labels that are not known yet; errors as for `encode`."""
        unknown = [label for label in labels if label not in self.names and is_name(label)]
        if not unknown or self.kind == "numbers" or not self.model.uses_class_names:
            return {}
        self._require_encoder()
        assert self.model.encoder_ is not None
        return _by_text(embed_names(self.model.encoder_, unknown, {}))

    def apply(
        self,
        steps: Sequence[Step],
        class_steps: Sequence[ClassStep] = (),
        names: Names | None = None,
    ) -> TaskState:
        """Return the state after a change; this one stays as it is.

        Parameters
        ----------
        steps : sequence of Step
        class_steps : sequence of ClassStep
            If classes become others as a whole, `steps` only tells what that means for rows.
        names : mapping of label to ndarray of shape (d,), optional
            Embeddings of names that `new_names` returned.

        Raises
        ------
        ValueError
            If a row to forget was never learned, or classes cannot become one, or numbers do not
            fit the scale of those that were learned first.
        """
        if not (class_steps or names or any(step.changes_label for step in steps)):
            return copy.copy(self)
        twin = on_features(self.model)
        moved = {step.old: step.new for step in class_steps if step.old and step.new}
        if moved:
            move_classes(twin, moved)
        else:
            if self.kind == "numbers":
                fix_scale(twin, steps)
            learn_steps(twin, steps)
        added = set(self.added)
        for old, new in class_steps:
            if new is None:
                added.discard(str(old))
            elif old is None:
                added.add(new)
        changed = replace(self, added=tuple(sorted(added)), names={**self.names, **(names or {})})
        return changed._with_learned(twin)

    def with_classes(self, added: Iterable[str], names: Names) -> TaskState:
        """Return the state with other classes that are there without rows, and other names."""
        changed = replace(self, added=tuple(sorted(added)), names=names)
        return changed._with_learned(on_features(self.model))

    def without_history(self) -> TaskState:
        """Return the state with a model that does not tell which labels its classes had before."""
        return replace(self, model=copy.copy(self.model).clear_class_history())

    def relearn(self, features: Features, labels: Sequence[str]) -> TaskState:
        """Return the state that learns rows (n, d) at once, if these are all that it learned.

        Otherwise, which the sums of all rows tell, it stays as it is.
        """
        if not self.can_answer or self.n_rows != len(labels):
            return self
        twin = without_rows(self.model, {})
        twin.partial_fit(features, list(labels))
        changed = self._with_learned(twin)
        return changed if changed._has_learned_like(self) else self

    def _has_learned_like(self, other: TaskState) -> bool:
        mine, theirs = self.model.statistics_, other.model.statistics_
        return mine is not None and theirs is not None and mine.moments == theirs.moments

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_solving"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _solving=Lock())

    def solve(self) -> None:
        """Solve the weights, once; later callers find them solved."""
        with self._solving:
            _ = self._weights

    @cached_property
    def _weights(self) -> FastWeights:
        with SOLVE_SECONDS.time():
            return self.features_model.weights_

    @property
    def labels_quickly(self) -> bool:
        """Whether a row is labelled in a millisecond: the weights are solved, encoding is cheap."""
        return "_weights" in vars(self) and self.model.encoder_name in (None, HashingEncoder.name)

    def probabilities(self, features: Features) -> FloatArray:
        """Return the probability of each class, (n, C), for features (n, d)."""
        self.solve()
        return self.features_model.predict_proba(features)

    def novelty_p_values(self, features: Features) -> FloatArray | None:
        """Return how often a learned row is as unusual as each of these, (n,); None if unknown.

        What is usual is measured when it is first asked for, which takes longer than solving.
        """
        self.solve()
        with self._solving:
            novelty = self._novelty
        if novelty is None:
            return None
        return novelty.p_values(features, self.features_model.predict_log_proba(features))

    @cached_property
    def _novelty(self) -> Novelty | None:
        try:
            return self.features_model.measure_novelty()
        except ValueError:  # no rows that tell what is usual
            return None

    def left_out_probabilities(self, features: Features, labels: Sequence[str]) -> FloatArray:
        """Return the probabilities of learned rows, each by the model without this row."""
        self.solve()
        return self.features_model.loo_proba(features, list(labels))

    def _with_learned(self, twin: FaastClassifier) -> TaskState:
        """Return the state in which the model has learned what its twin on features has."""
        named = [label for label in self.added if label in self.names]
        if has_rows(twin):
            assert twin.learned_ is not None
            uses = self.model.uses_class_names
            twin.learned_ = name_classes(twin.learned_, named, uses, dict(self.names.items()))
        else:
            twin = without_rows(self.model, {label: self.names[label] for label in named})
            if self.kind == "numbers":
                twin.set_params(key_scale=None)  # the next rows fix it, as in a new task
        model = self.model.with_learned(twin)
        model.set_params(labels=tuple(named), key_scale=twin.key_scale)
        return replace(self, model=model)

    def _require_encoder(self) -> None:
        """Raise a RequestError that says what to do if the encoder cannot be loaded."""
        try:
            _ = self.model.encoder_
        except (EncoderMismatchError, ImportError, OSError) as error:
            raise RequestError(
                503,
                f"the encoder {self.model.encoder_name} of this task cannot be loaded here: "
                f"{error}. Make it available and ask again; until then the task takes features "
                "(numbers), and its rows, labels and classes can be read and changed",
            ) from error


def _encoded(encode: Any, rows: Sequence[RawRow]) -> Features:
    for number, row in enumerate(rows, start=1):
        if isinstance(row, list) and len(row) != len(rows[0]):
            raise RequestError(
                422,
                f"row {number} has {len(row)} numbers, but row 1 has {len(rows[0])}; give all rows "
                "as many",
            )
    try:
        with np.errstate(over="ignore"):
            features = np.asarray(encode(list(rows)), dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise RequestError(422, f"a row cannot be read: {error}") from error
    if not np.isfinite(features).all():
        raise RequestError(422, "a number is too large; scale the numbers to at most 3e38")
    return features


def _by_text(names: Mapping[Any, FloatArray]) -> dict[str, FloatArray]:
    return {str(label): vector for label, vector in names.items()}
