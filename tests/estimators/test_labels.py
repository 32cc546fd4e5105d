"""Labels are taken as they are, and refused where they are no classes."""

import numpy as np
import pytest

from faast import FaastClassifier
from faast.estimators.labels import as_labels


def test_one_row_of_each_of_many_classes_is_nothing_to_warn_of(rng):
    labels = [f"class {i}" for i in range(60)]
    assert FaastClassifier().fit(rng.standard_normal((60, 8)), labels).classes_.shape == (60,)


def test_numbers_that_are_no_classes_are_refused_by_row():
    with pytest.raises(ValueError, match=r"continuous \(label of row 1 is 0\.5\)"):
        as_labels(np.array([1.0, 0.5]))
