import numpy as np
import pytest
from sklearn.datasets import load_digits

import faast
from faast import Discriminant, FaastClassifier, Ridge


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    order = np.random.default_rng(2).permutation(len(images))
    return images[order], labels[order]


def split(digits, n_taught):
    rows, labels = digits
    return rows[:n_taught], labels[:n_taught], rows[n_taught:], labels[n_taught:]


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.99])
@pytest.mark.parametrize("solver", ["auto", Ridge(), Discriminant()])
def test_sets_hold_the_true_label_as_often_as_asked(digits, solver, coverage):
    rows, labels, queries, answers = split(digits, 300)
    sets = FaastClassifier(solver).fit(rows, labels).predict_set(queries, coverage)
    held = sets[np.arange(len(answers)), answers].mean()
    # both the rows that were learned and the queries are a sample
    error = np.sqrt(coverage * (1 - coverage) * (1 / len(rows) + 1 / len(queries)))
    assert abs(held - coverage) <= 2 * error


def test_more_rows_make_smaller_sets(digits):
    sizes = []
    for n_taught in (40, 200, 1000):
        rows, labels, queries, _ = split(digits, n_taught)
        sizes.append(FaastClassifier().fit(rows, labels).predict_set(queries, 0.95).sum())
    assert sizes[0] > sizes[1] > sizes[2]


def test_names_are_given_back(digits):
    rows, labels, queries, _ = split(digits, 1000)
    names = np.array([f"digit {label}" for label in labels])
    model = FaastClassifier().fit(rows, names)
    filled = model.predict_or_abstain(queries, coverage=0.9).filled("no idea")
    assert set(filled) <= {*model.classes_, "no idea"}


def test_files_and_compact_copies_keep_the_sets(digits, tmp_path):
    rows, labels, queries, _ = split(digits, 300)
    model = FaastClassifier().fit(rows, labels)
    model.save(tmp_path / "model")
    expected = model.predict_set(queries)
    assert np.array_equal(faast.load(tmp_path / "model").predict_set(queries), expected)
    assert np.array_equal(model.compact().predict_set(queries), expected)


def test_what_cannot_be_answered_is_refused(digits):
    rows, labels, *_ = split(digits, 300)
    for wrong in (90, True, 1.0, "0.9"):
        with pytest.raises(ValueError, match="coverage must be a number between 0 and 1"):
            FaastClassifier().fit(rows, labels).predict_set(rows, wrong)
    indicators = FaastClassifier().fit(rows, np.eye(10, dtype=int)[labels])
    with pytest.raises(ValueError, match="one label each"):
        indicators.predict_set(rows)
    with pytest.raises(ValueError, match="some are kept"):
        FaastClassifier(Ridge(0.1), novelty=True, selection_rows=0).fit(rows, labels).novelty_score(
            rows
        )
