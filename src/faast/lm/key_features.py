"""Random features of the keys of a natural memory, in floating point."""

from __future__ import annotations

import torch
from torch import Tensor

from faast.core.random_features import MOST_FEATURES, MOST_SHIFTS, projections, signs
from faast.lm.exceptions import UnsupportedModelError

MOST_KEYS = 3584
"""Most coordinates of a key but for the constant; the memory grows with their square."""

FEATURE_SCALE = 0.1
"""Size of random features against the row's own coordinates, since damping is relative to the mean
over both. Of 0.01, 0.03, 0.1 and 0.3 it is the best on held-out ends of what was learned."""


class KeyFeatures:
    """Keys [h; 1; φ(h)] with random features φ, for memories that cannot be folded.

    With z = S h / |h|, a projection on the fixed signs S of `faast.core.random_features`,
    φ_jk = s |h|/√d z_j z_(j+k): a random sketch of the polynomial kernel of degree 2, as large as h
    whatever the model's norm.

    Parameters
    ----------
    width : int
        d.
    device : torch.device or str

    Attributes
    ----------
    n_keys : int
        Columns of a key.

    Raises
    ------
    UnsupportedModelError
        Rows are too wide for random features.
    """

    def __init__(self, width: int, device: torch.device | str = "cpu") -> None:
        if width > MOST_FEATURES:
            raise UnsupportedModelError(
                f"rows of {width} numbers are too wide for random features; use "
                "random_features=False"
            )
        n_projections = projections(width)
        self._n_shifts = min(MOST_SHIFTS, (MOST_KEYS - width) // n_projections, n_projections // 2)
        self._signs = torch.from_numpy(signs(width, n_projections)).float().to(device)
        self.n_keys = width + 1 + self._n_shifts * n_projections

    def __call__(self, rows: Tensor) -> Tensor:
        """Map rows (..., d), float32, to keys (..., n_keys)."""
        norm = rows.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
        z = (rows / norm) @ self._signs.to(rows.device)
        size = FEATURE_SCALE * norm / rows.shape[-1] ** 0.5
        shifts = range(1, self._n_shifts + 1)
        products = [size * z * z.roll(-shift, dims=-1) for shift in shifts]
        return torch.cat([rows, torch.ones_like(norm), *products], dim=-1)
