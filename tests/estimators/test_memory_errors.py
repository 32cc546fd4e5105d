"""MemoryError raised at every line: the state is that of before, and a retry works."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import faast
from faast import (
    AssociativeMemory,
    FaastClassifier,
    FaastRegressor,
    NaturalGradientClassifier,
    TextClassifier,
)
from faast.core.persistence import content_hash

EVERY = 1 if os.environ.get("FAAST_THOROUGH") else 12
"""Inject at every line, or at one of so many."""

PACKAGE = str(Path(faast.__file__).parent)
UNTOUCHABLE = {"all_or_nothing", "wrapper"}
"""The function that restores the state cannot restore it from an error of its own."""


class Injector:
    """Raises MemoryError where a line of the library is about to run for the first time."""

    def __init__(self, target=None):
        self.seen, self.target = [], target
        self._known, self._outer = set(), None

    def __enter__(self):
        self._outer = sys.gettrace()  # of a measurement of coverage
        sys.settrace(self._trace)
        return self

    def __exit__(self, *error):
        sys.settrace(self._outer)

    def _trace(self, frame, event, _):
        code = frame.f_code
        if not code.co_filename.startswith(PACKAGE) or code.co_name in UNTOUCHABLE:
            return None
        if event == "line":
            place = code.co_filename, frame.f_lineno
            if place not in self._known:
                self._known.add(place)
                self.seen.append(place)
            if place == self.target:
                self.target = None
                raise MemoryError("injected")
        return self._trace


def unit_rows(seed, count):
    rows = np.random.default_rng(seed).standard_normal((count, 5))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


X, y = unit_rows(0, 40), np.arange(40) % 3
MORE, MORE_LABELS = unit_rows(1, 6), np.array([0, 1, 2, 3, 3, 1])
TEXTS = ["lost card", "stolen card", "top up failed", "cannot top up"]
NAMES = ["card", "card", "top_up", "top_up"]


def text_model():
    return TextClassifier(class_names=True).fit(TEXTS, NAMES)


def classifier(**settings):
    return FaastClassifier(**settings).fit(X, y)


SETS = [[9, label][i % 4 :: 2] for i, label in enumerate(y.tolist())]


def several():
    return FaastClassifier().fit(X, SETS)


OPERATIONS = {
    "learn several labels": (several, lambda m: m.partial_fit(MORE[:3], [[1, 5], [], [9]])),
    "forget several labels": (several, lambda m: m.forget(X[:9], SETS[:9])),
    "merge several labels": (
        several,
        lambda m: m.merge(FaastClassifier().fit(MORE[:2], [[1, 7], []])),
    ),
    "fit anew": (classifier, lambda m: m.fit(MORE, MORE_LABELS)),
    "learn": (classifier, lambda m: m.partial_fit(MORE, MORE_LABELS)),
    "learn past the sample": (
        lambda: classifier(selection_rows=10),
        lambda m: m.partial_fit(MORE, MORE_LABELS, sample_weight=np.arange(6) + 1.0),
    ),
    "forget": (classifier, lambda m: m.forget(X[:5], y[:5])),
    "forget past the sample": (
        lambda: classifier(selection_rows=10),
        lambda m: m.forget(X[:5], y[:5]),
    ),
    "forget a class": (classifier, lambda m: m.forget(X[y == 1], y[y == 1])),
    "merge": (classifier, lambda m: m.merge(FaastClassifier().fit(MORE, MORE_LABELS))),
    "learn texts": (text_model, lambda m: m.partial_fit(["withdraw cash"], ["cash"])),
    "forget texts": (text_model, lambda m: m.forget(TEXTS[:2], NAMES[:2])),
    "merge texts": (
        text_model,
        lambda m: m.merge(TextClassifier(class_names=True).fit(["x"], ["y"])),
    ),
    "natural": (
        lambda: NaturalGradientClassifier(window=30, buffer=5).fit(X, y),
        lambda m: m.partial_fit(MORE, MORE_LABELS),
    ),
    "regressor": (
        lambda: FaastRegressor().fit(X, X[:, 0]),
        lambda m: m.partial_fit(MORE, MORE[:, 0]),
    ),
    "regressor forgets": (
        lambda: FaastRegressor().fit(X, X[:, 0]),
        lambda m: m.forget(X[:2], X[:2, 0]),
    ),
    "memory": (lambda: AssociativeMemory().learn(X, X), lambda m: m.learn(MORE, MORE)),
    "memory forgets": (lambda: AssociativeMemory().learn(X, X), lambda m: m.forget(X[:2], X[:2])),
}


def state_of(model):
    return content_hash(*model.to_state())


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_error_at_any_line_leaves_the_state_as_it_was(name):
    make, change = OPERATIONS[name]
    model = make()
    change(model)
    changed = state_of(model)
    model = make()
    with Injector() as injector:
        change(model)
    assert len(injector.seen) > 50
    for place in injector.seen[::EVERY]:
        model = make()
        before = state_of(model)
        with Injector(place) as again:
            try:
                change(model)
            except MemoryError:
                pass
            else:
                assert again.target is not None, f"{place} swallowed the error"
                continue  # a line that runs once per process, such as a cache
        assert state_of(model) == before, place
        change(model)
        assert state_of(model) == changed, place


def test_an_error_at_any_line_of_saving_leaves_the_old_file(tmp_path):
    path = tmp_path / "model"
    old, new = classifier(), classifier().partial_fit(MORE, MORE_LABELS)
    old.save(path)
    before = path.read_bytes()
    with Injector() as injector:
        new.save(path)
    after = path.read_bytes()
    for place in injector.seen[::EVERY]:
        path.write_bytes(before)
        with Injector(place) as again:
            try:
                new.save(path)
            except MemoryError:
                assert path.read_bytes() in (before, after), place
            else:
                assert again.target is not None, place
        new.save(path)
        assert path.read_bytes() == after
        assert [entry.name for entry in tmp_path.iterdir()] == ["model"], place


def test_an_error_at_any_line_of_loading_is_an_error(tmp_path):
    path = tmp_path / "model"
    classifier().save(path)
    with Injector() as injector:
        faast.load(path)
    for place in injector.seen[::EVERY]:
        with Injector(place) as again:
            try:
                loaded = faast.load(path)
            except MemoryError:
                continue
            assert again.target is not None, place
        assert state_of(loaded) == state_of(classifier())
