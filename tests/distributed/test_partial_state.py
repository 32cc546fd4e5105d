"""States of partitions add up to the state of all rows."""

import numpy as np
import pytest

from faast import FaastClassifier, TextClassifier
from faast.distributed.partial_state import PartialState


def learned(rows, labels):
    return PartialState.of(FaastClassifier().fit(rows, labels))


def test_states_add_up_over_the_union_of_their_classes(unit_rows):
    rows, onehot = unit_rows
    labels = np.sort(onehot.argmax(axis=1))  # the halves have different classes
    half = len(rows) // 2
    total = learned(rows[half:], labels[half:]).merge(learned(rows[:half], labels[:half]))
    expected = learned(rows, labels)
    assert total.classes.tolist() == expected.classes.tolist()
    assert total.statistics.moments == expected.statistics.moments


def test_a_state_without_rows_gives_its_grid(rng):
    rows, labels = 100 * rng.standard_normal((50, 3)), np.arange(50) % 2
    empty = learned(rows, labels).without_rows()
    assert empty.statistics.moments.count == 0
    model = FaastClassifier()
    model.learn_statistics(empty.classes, empty.statistics)
    model.partial_fit(rows / 1000, labels)
    scale = learned(rows, labels).statistics.moments.key_scale
    assert np.array_equal(PartialState.of(model).statistics.moments.key_scale, scale)
    own = learned(rows / 1000, labels).statistics.moments.key_scale
    assert not np.array_equal(own, scale)


def test_a_state_makes_a_model_of_a_new_classifier(unit_rows):
    rows, onehot = unit_rows
    labels = onehot.argmax(axis=1)
    model = FaastClassifier()
    state = learned(rows, labels)
    model.learn_statistics(state.classes, state.statistics)
    expected = FaastClassifier().fit(rows, labels).predict_proba(rows)
    assert np.array_equal(model.predict_proba(rows), expected)


def test_states_of_other_widths_are_refused(unit_rows):
    rows, onehot = unit_rows
    labels = onehot.argmax(axis=1)
    with pytest.raises(ValueError):
        learned(rows, labels).merge(learned(rows[:, 1:], labels))


def test_a_classifier_without_rows_has_no_state():
    model = TextClassifier(labels=["card", "top up"], class_names=True)
    with pytest.raises(ValueError, match="has learned no rows, so it has no statistics"):
        PartialState.of(model)


def test_content_whose_classes_do_not_fit_its_statistics_is_refused(unit_rows):
    rows, onehot = unit_rows
    state = learned(rows, onehot.argmax(axis=1))
    content = PartialState(state.classes[1:], state.statistics).to_state()
    with pytest.raises(ValueError, match="3 classes cannot have statistics of 4 columns"):
        PartialState.from_state(content)
