"""A lift of what feeds the head: products of random projections, for memories that do not fold."""

from __future__ import annotations

import torch
from torch import Tensor

from faast.lift import most_shifts, projections, signs
from faast.lm.anatomy import UnsupportedModelError

FEATURE_SCALE = 0.1
"""Of products against the row's own coordinates: damping is in units of the mean over both.

Of 0.01, 0.03, 0.1 and 0.3 the best on held-out ends of what was learned.
"""


class KeyLift:
    """Keys [h; 1; φ(h)], with the fixed signs of `faast.lift`.

    With z = S h / |h|, a projection on signs, φ_jk = s |h|/√d z_j z_(j+k): a random sketch of the
    kernel of degree 2, of the size of h whatever the model's norm.

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
        Rows too wide to be lifted.
    """

    def __init__(self, width: int, device: torch.device | str = "cpu") -> None:
        self._n_shifts = most_shifts(width)
        if not self._n_shifts:
            raise UnsupportedModelError(
                f"rows of {width} numbers are too wide to be lifted; use lift=False"
            )
        n_projections = projections(width)
        self._signs = torch.from_numpy(signs(width, n_projections)).float().to(device)
        self.n_keys = width + 1 + self._n_shifts * n_projections

    def __call__(self, rows: Tensor) -> Tensor:
        """Lift rows (..., d), float32, to keys (..., n_keys)."""
        norm = rows.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
        z = (rows / norm) @ self._signs.to(rows.device)
        size = FEATURE_SCALE * norm / rows.shape[-1] ** 0.5
        shifts = range(1, self._n_shifts + 1)
        products = [size * z * z.roll(-shift, dims=-1) for shift in shifts]
        return torch.cat([rows, torch.ones_like(norm), *products], dim=-1)
