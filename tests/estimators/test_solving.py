"""Solving happens once per state, when a prediction is asked for, and never otherwise."""

from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_digits

import faast
from faast import (
    AssociativeMemory,
    Discriminant,
    FaastClassifier,
    FaastRegressor,
    PseudoInverse,
    Ridge,
    TextClassifier,
)
from faast.solvers.gaussian import GaussianClasses


@pytest.fixture
def solved(monkeypatch):
    """What was solved: eigenproblems, and sets of Gaussian classes."""
    calls = []
    decompose, summarise = np.linalg.eigh, GaussianClasses.from_moments

    def counted(start, *args, **kwargs):
        calls.append(start)
        return start(*args, **kwargs)

    monkeypatch.setattr(np.linalg, "eigh", partial(counted, decompose))
    monkeypatch.setattr(GaussianClasses, "from_moments", partial(counted, summarise))
    return calls


SOLVERS = ["auto", Ridge(), Ridge("gcv"), PseudoInverse(), Discriminant()]


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_a_fit_and_its_predictions_solve_once(unit_rows, solver, solved):
    rows, values = unit_rows
    model = FaastClassifier(solver).fit(rows, values.argmax(axis=1))
    assert not solved
    model.predict(rows)
    model.predict_proba(rows)
    model.predict_set(rows)
    assert model.loo_proba_.shape == (60, 4)
    assert len(solved) == 1


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_a_memory_and_its_leave_one_out_values_solve_once(unit_rows, solver, solved):
    memory = AssociativeMemory(solver).learn(*unit_rows)
    memory.read(unit_rows[0])
    assert memory.loo_values().shape == (60, 4)
    assert len(solved) == 1


def test_reading_classes_and_counts_solves_nothing(unit_rows, solved):
    rows, values = unit_rows
    model = FaastClassifier()
    for row, label in zip(rows, values.argmax(axis=1), strict=True):
        model.partial_fit(row[None], [label])
    for _ in range(1000):
        assert model.classes_.tolist() == [0, 1, 2, 3]
    assert model.class_counts_.sum() == model.n_rows_ == 60
    model.forget(rows[:30], values[:30].argmax(axis=1))
    assert not solved


def test_saving_solves_nothing_and_keeps_what_was_solved(unit_rows, solved, tmp_path):
    rows, values = unit_rows
    for model in (
        FaastClassifier().fit(rows, values.argmax(axis=1)),
        FaastRegressor().fit(rows, values),
        TextClassifier().fit(["a card", "a coin"], ["card", "coin"]),
    ):
        model.save(tmp_path / "unsolved")
        loaded = faast.load(tmp_path / "unsolved")
        assert not solved
        asked = ["a card"] if isinstance(model, TextClassifier) else rows
        expected = model.predict(asked)
        assert np.array_equal(loaded.predict(asked), expected)
        model.save(tmp_path / "solved")
        del solved[:]
        assert np.array_equal(faast.load(tmp_path / "solved").predict(asked), expected)
        assert not solved


def test_parameters_that_change_the_answer_solve_again(solved):
    X, y = load_digits(return_X_y=True)
    model = FaastClassifier().fit(X[:300], y[:300])
    plain = model.predict_proba(X[300:400])
    balanced = model.set_params(class_weight="balanced").predict_proba(X[300:400])
    assert not np.array_equal(plain, balanced)
    assert np.array_equal(model.set_params(class_weight=None).predict_proba(X[300:400]), plain)
    assert len(solved) == 2
