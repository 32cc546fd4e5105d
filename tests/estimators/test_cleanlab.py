"""`loo_proba_` is what cleanlab takes as ``pred_probs``."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from faast import FaastClassifier


@pytest.fixture(scope="module")
def flipped():
    """Digits of which 5 % carry another label, and which those are."""
    rows, labels = load_digits(return_X_y=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    wrong = np.zeros(len(labels), dtype=bool)
    wrong[rng.choice(len(labels), len(labels) // 20, replace=False)] = True
    given = np.where(wrong, (labels + rng.integers(1, 10, len(labels))) % 10, labels)
    return rows, given, wrong


def test_cleanlab_finds_flipped_labels(flipped):
    filtering = pytest.importorskip("cleanlab.filter", reason="cleanlab is not installed")
    rows, given, wrong = flipped
    model = FaastClassifier().fit(rows, given)
    found = filtering.find_label_issues(given, model.loo_proba_, n_jobs=1)
    assert found[wrong].mean() > 0.8
    assert wrong[found].mean() > 0.85


def test_flipped_labels_are_the_least_likely(flipped):
    rows, given, wrong = flipped
    likelihood = FaastClassifier().fit(rows, given).loo_proba_[np.arange(len(given)), given]
    suspects = np.argsort(likelihood)[: wrong.sum()]
    assert wrong[suspects].mean() > 0.9
