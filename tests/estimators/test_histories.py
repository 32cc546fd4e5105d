"""Random histories of learning, forgetting, merging and saving end in the state of what is left.

All thresholds are lowered, so that short histories cross them. Where every row is held, the files
are alike bit for bit; past that `is_exact_` says that the sample is not, and moments are.
"""

import os

import numpy as np
import pytest

import faast
from faast import FaastClassifier
from faast.core.persistence import content_hash

HISTORIES = int(
    os.environ.get("FAAST_HISTORIES", "2000" if os.environ.get("FAAST_THOROUGH") else "300")
)
CHUNK = 100


@pytest.fixture(autouse=True)
def low_thresholds(monkeypatch):
    monkeypatch.setattr("faast.core.feature_rows.WHOLE_ROWS", 25)
    monkeypatch.setattr("faast.solvers.auto.MAPPED_ROWS", 12)
    monkeypatch.setattr("faast.solvers.auto.MAPPED_ROWS_PER_CLASS", 2)
    monkeypatch.setattr("faast.solvers.auto.EVIDENCE", -np.inf)


class History:
    """A classifier, and the rows that it should know."""

    def __init__(self, seed, folder):
        self.random = np.random.default_rng(seed)
        self.folder = folder
        self.capacity = int(self.random.choice([4, 8, 60]))
        width = int(self.random.integers(2, 5))
        pool = self.random.standard_normal((12, width))
        self.pool = pool / np.linalg.norm(pool, axis=1, keepdims=True)
        self.kept = []  # of (row, label, weight)
        self.model = self.new()

    def new(self):
        return FaastClassifier(selection_rows=self.capacity)

    def draw(self):
        """Rows, some of them equal, with labels and integer weights."""
        count = int(self.random.integers(1, 9))
        rows = self.pool[self.random.integers(0, len(self.pool), count)]
        fresh = self.random.random(count) < 0.6
        moved = self.random.standard_normal(rows.shape)
        rows = np.where(fresh[:, None], moved / np.linalg.norm(moved, axis=1)[:, None], rows)
        labels = self.draw_labels(count)
        weights = self.random.integers(1, 4, count)
        return list(zip(rows, labels, weights, strict=True))

    def draw_labels(self, count):
        return self.random.integers(0, 4, count).tolist()

    @staticmethod
    def columns(rows):
        X, y, weights = zip(*rows, strict=True)
        return np.array(X), list(y), np.array(weights)

    def learn(self):
        drawn = self.draw()
        X, y, weights = self.columns(drawn)
        self.model.partial_fit(X, y, sample_weight=weights)
        self.kept += drawn

    def merge(self):
        drawn = self.draw()
        X, y, weights = self.columns(drawn)
        other = self.new().fit(X, y, weights)
        self.model = (
            other.merge(self.model) if self.random.random() < 0.5 else self.model.merge(other)
        )
        self.kept += drawn

    def forget(self):
        if not self.kept:
            return
        count = int(self.random.integers(1, len(self.kept) + 1))
        chosen = set(self.random.permutation(len(self.kept))[:count].tolist())
        self.remove([i in chosen for i in range(len(self.kept))])

    def forget_class(self):
        if self.kept:
            label = self.kept[int(self.random.integers(len(self.kept)))][1]
            self.remove([row[1] == label for row in self.kept])

    def remove(self, taken):
        X, y, weights = self.columns(
            [row for row, take in zip(self.kept, taken, strict=True) if take]
        )
        self.model.forget(X, y, weights)
        self.kept = [row for row, take in zip(self.kept, taken, strict=True) if not take]

    def save(self):
        if self.kept:
            self.model.save(self.folder / "model")
            self.model = faast.load(self.folder / "model")

    def run(self):
        self.learn()
        steps = [self.learn, self.learn, self.merge, self.forget, self.forget_class, self.save]
        for step in self.random.integers(0, len(steps), 8):
            steps[step]()
        if not self.kept:
            self.learn()

    def check(self):
        X, y, weights = self.columns(self.kept)
        fresh, model = self.new().fit(X, y, weights), self.model
        assert model.classes_.tolist() == fresh.classes_.tolist()
        assert model.statistics_.moments == fresh.statistics_.moments
        if model.is_exact_:
            queries = self.pool
            assert np.array_equal(model.predict_proba(queries), fresh.predict_proba(queries))
            states = [one.to_state() for one in (model, fresh)]
            assert content_hash(*states[0]) == content_hash(*states[1])
        else:
            sample = model.statistics_.rows
            assert len(sample) <= self.capacity
            if model.statistics_.maps:
                mine, theirs = (
                    one.statistics_.feature_rows().narrowed().to_state().tensors
                    for one in (model, fresh)
                )
                for name, tensor in mine.items():
                    assert np.array_equal(tensor, theirs[name]), name


class HistoryOfSets(History):
    """The same with several labels a row."""

    def draw_labels(self, count):
        marks = self.random.random((count, 4)) < 0.4
        marks[0, 0] = True  # a model of rows without labels cannot predict
        return [set(np.flatnonzero(row).tolist()) for row in marks]

    def remove(self, taken):
        super().remove(taken)
        if self.kept and not any(labels for _, labels, _ in self.kept):
            self.learn()


def run_histories(kind, first, folder):
    exact = 0
    for seed in range(first, min(first + CHUNK, HISTORIES)):
        history = kind(seed, folder)
        history.run()
        try:
            history.check()
        except AssertionError as error:
            raise AssertionError(f"history {seed}") from error
        exact += history.model.is_exact_
    assert exact > 0.3 * CHUNK or HISTORIES < CHUNK


@pytest.mark.parametrize("first", range(0, HISTORIES, CHUNK))
def test_a_history_ends_in_the_state_of_what_is_left(first, tmp_path):
    run_histories(History, first, tmp_path)


@pytest.mark.parametrize("first", range(0, HISTORIES, CHUNK))
def test_a_history_of_several_labels_ends_in_the_state_of_what_is_left(first, tmp_path):
    run_histories(HistoryOfSets, first, tmp_path)
