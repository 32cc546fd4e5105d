"""A lift of what feeds the head: products of random projections, for memories that do not fold."""

from __future__ import annotations

import torch
from torch import Tensor

from faast.lift import Lift, most_shifts
from faast.lm.anatomy import UnsupportedModelError

BITS = 20
FEATURE_SCALE = 0.03
"""Of products against the row's own coordinates: damping is in units of the mean over both."""


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
        Rows so wide that the lift has no room beside them.
    """

    def __init__(self, width: int, device: torch.device | str = "cpu") -> None:
        like = Lift(width, BITS, bounded=True, n_shifts=most_shifts(width))
        if not like.n_shifts:
            raise UnsupportedModelError(
                f"rows of {width} numbers are too wide to be lifted; use lift=False"
            )
        self._signs = torch.from_numpy(like.signs).float().to(device)
        self._n_shifts = like.n_shifts
        self.n_keys = like.width + 1

    def __call__(self, rows: Tensor) -> Tensor:
        """Lift rows (..., d), float32, to keys (..., n_keys)."""
        norm = rows.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
        z = (rows / norm) @ self._signs.to(rows.device)
        size = FEATURE_SCALE * norm / rows.shape[-1] ** 0.5
        shifts = range(1, self._n_shifts + 1)
        products = [size * z * z.roll(-shift, dims=-1) for shift in shifts]
        return torch.cat([rows, torch.ones_like(norm), *products], dim=-1)
