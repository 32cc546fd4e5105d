"""How far the chosen strength is from the best one, judged on test rows."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import numpy as np

from faast import FaastClassifier
from faast.solvers import auto


def best_strength(make: Callable[[], FaastClassifier], support: tuple, test: tuple) -> np.ndarray:
    """Return the hits of the strength that names most test rows right.

    The same rule is run with each strength of its own grid as the only one; at one shot, where the
    rule has a stated default and no grid, the default is multiplied by the grid's.
    """
    rows, labels = support
    one_shot = len(labels) < 2 * len(np.unique(labels))
    held = scaled_default if one_shot else single_choice
    tried = []
    for strength in auto.STRENGTHS:
        with held(float(strength)):
            tried.append(make().fit(rows, labels).predict(test[0]) == test[1])
    return max(tried, key=np.count_nonzero)


def single_choice(strength: float):
    return patch.object(auto, "STRENGTHS", np.full_like(auto.STRENGTHS, strength))


def scaled_default(strength: float):
    def metric(gain: float, floor: float, kappa: float):
        return original(gain, strength * floor, kappa)

    original = auto.Metric
    return patch.object(auto, "Metric", metric)
