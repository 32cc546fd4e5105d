"""What changes of a task do to its model, on features."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np

from faast._utils.arrays import FloatArray
from faast.core.row_weights import ROUNDING
from faast.encoders.base import Features
from faast.estimators import FaastClassifier
from faast.serve.tasks.kinds import require_scale, scale_for
from faast.serve.tasks.records import Step

Names = Mapping[str, FloatArray]
"""Embedding of the name of each class, shape (d,), float64."""


def on_features(model: FaastClassifier) -> FaastClassifier:
    """Return a copy of a model that takes features without names of columns."""
    twin = copy.copy(model.on_features())
    twin.__dict__.pop("feature_names_in_", None)
    return twin


def has_rows(model: FaastClassifier) -> bool:
    """Return whether a model has learned rows."""
    return hasattr(model, "learned_") and model.n_rows_ > ROUNDING


def fix_scale(twin: FaastClassifier, steps: Sequence[Step]) -> None:
    """Let the first rows of numbers fix the scale; later ones must fit it.

    The scale stays as long as there are rows, so that the same rows give the same bits.
    """
    learned = {
        number: step
        for number, step in enumerate(steps, start=1)
        if step.changes_label and step.old.label is None
    }
    if not learned:
        return
    features, numbers = _features(list(learned.values())), list(learned)
    if has_rows(twin) and twin.statistics_ is not None:
        require_scale(features, twin.statistics_.moments.key_scale, numbers)
    else:
        scale = scale_for(features)
        require_scale(features, scale, numbers)
        twin.set_params(key_scale=scale)


def learn_steps(twin: FaastClassifier, steps: Sequence[Step]) -> None:
    """Learn, relabel and forget the rows of steps."""
    changed = [step for step in steps if step.changes_label]
    learned = [step for step in changed if step.old.label is None]
    forgotten = [step for step in changed if step.new.label is None]
    corrected = [step for step in changed if step.old.label and step.new.label]
    if learned:
        twin.partial_fit(_features(learned), [step.new.label for step in learned])
    if corrected:
        old, new = zip(*((step.old.label, step.new.label) for step in corrected), strict=True)
        twin.relabel(_features(corrected), list(old), list(new))
    if forgotten:
        twin.forget(_features(forgotten), [step.old.label for step in forgotten])


def _features(steps: Sequence[Step]) -> Features:
    return np.stack([step.features for step in steps if step.features is not None])


def move_classes(twin: FaastClassifier, moved: Mapping[str, str]) -> None:
    """Give all rows of classes to other ones, all of which are one if there are several."""
    known = set(twin.classes_.tolist()) if hasattr(twin, "learned_") else set()
    for into in dict.fromkeys(moved.values()):
        old = [label for label in moved if moved[label] == into and label in known]
        if len(old) > 1 or (old and into in known):
            twin.merge_classes(old, into)
        elif old:
            twin.rename_classes({old[0]: into})


def without_rows(model: FaastClassifier, embeddings: Names) -> FaastClassifier:
    """Return a model on features that has learned no rows, and knows classes by their names."""
    twin = on_features(model)
    twin.__dict__.pop("learned_", None)
    if embeddings:
        n_features = len(next(iter(embeddings.values())))
        twin.set_params(class_embeddings=dict(embeddings))
        twin.fit(np.empty((0, n_features)), np.empty(0, dtype=str))
    return twin
