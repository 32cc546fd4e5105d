"""Float64 numbers close to 0."""

import numpy as np

EPSILON = float(np.finfo(np.float64).eps)
"""Relative spacing of numbers."""

TINY = 1e-300
"""Stands for 0 in divisors."""
