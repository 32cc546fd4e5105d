"""Solving happens once per state, when a prediction is asked for, and never otherwise."""

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


@pytest.fixture
def factorised(monkeypatch):
    """Sizes of the matrices that were decomposed."""
    sizes = []
    decompose = np.linalg.eigh

    def counted(matrix):
        sizes.append(len(matrix))
        return decompose(matrix)

    monkeypatch.setattr(np.linalg, "eigh", counted)
    return sizes


SOLVERS = ["auto", Ridge(), Ridge("gcv"), PseudoInverse(), Discriminant()]


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_a_fit_and_its_predictions_factorise_once(unit_rows, solver, factorised):
    rows, values = unit_rows
    model = FaastClassifier(solver).fit(rows, values.argmax(axis=1))
    assert not factorised
    model.predict(rows)
    model.predict_proba(rows)
    model.predict_set(rows)
    assert model.loo_proba_.shape == (60, 4)
    assert len(factorised) == 1


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_a_memory_and_its_leave_one_out_values_factorise_once(unit_rows, solver, factorised):
    memory = AssociativeMemory(solver).learn(*unit_rows)
    memory.read(unit_rows[0])
    assert memory.loo_values().shape == (60, 4)
    assert len(factorised) == 1


def test_reading_classes_and_counts_solves_nothing(unit_rows, factorised):
    rows, values = unit_rows
    model = FaastClassifier()
    for row, label in zip(rows, values.argmax(axis=1), strict=True):
        model.partial_fit(row[None], [label])
    for _ in range(1000):
        assert model.classes_.tolist() == [0, 1, 2, 3]
    assert model.class_counts_.sum() == model.n_rows_ == 60
    model.forget(rows[:30], values[:30].argmax(axis=1))
    assert not factorised


def test_saving_solves_nothing_and_keeps_what_was_solved(unit_rows, factorised, tmp_path):
    rows, values = unit_rows
    for model in (
        FaastClassifier().fit(rows, values.argmax(axis=1)),
        FaastRegressor().fit(rows, values),
        TextClassifier().fit(["a card", "a coin"], ["card", "coin"]),
    ):
        model.save(tmp_path / "unsolved")
        loaded = faast.load(tmp_path / "unsolved")
        assert not factorised
        asked = ["a card"] if isinstance(model, TextClassifier) else rows
        expected = model.predict(asked)
        assert np.array_equal(loaded.predict(asked), expected)
        model.save(tmp_path / "solved")
        del factorised[:]
        assert np.array_equal(faast.load(tmp_path / "solved").predict(asked), expected)
        assert not factorised


def test_parameters_that_change_the_answer_solve_again(factorised):
    X, y = load_digits(return_X_y=True)
    model = FaastClassifier().fit(X[:300], y[:300])
    plain = model.predict_proba(X[300:400])
    balanced = model.set_params(class_weight="balanced").predict_proba(X[300:400])
    assert not np.array_equal(plain, balanced)
    assert np.array_equal(model.set_params(class_weight=None).predict_proba(X[300:400]), plain)
    assert len(factorised) == 2
