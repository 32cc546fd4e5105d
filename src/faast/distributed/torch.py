"""Add up moments over the processes of torch.distributed."""

from __future__ import annotations

from functools import reduce
from math import prod
from typing import Any, NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray
from faast._utils.imports import import_optional
from faast.core.gram import Gram
from faast.core.grid import GridPair
from faast.core.moments import Moments
from faast.core.sums import INT64_LIMIT, Sums, diagonals, pack, packed_shapes, unpack


class _Share(NamedTuple):
    """What the processes tell each other before they add their sums."""

    shape: tuple[int, int]
    grids: GridPair
    exact: bool
    squares: dict[str, AnyArray]


def all_reduce(moments: Moments, group: Any = None) -> Moments:
    """Add up the moments of all processes, in place; afterwards each process holds the total.

    Every process calls this once, after it has added its rows; a second call would count them
    again. The processes first compare shapes, grids and the size of the sums. All of them see the
    same numbers, so either all processes add, or all raise the same error and keep their moments.
    Integer sums are exact: the total has the same bits in whatever order the backend adds.

    Parameters
    ----------
    moments : Moments
    group : torch.distributed.ProcessGroup, optional
        By default all processes.

    Returns
    -------
    Moments
        The same object. Its sums are integers if those of all processes were, else float64.

    Raises
    ------
    RuntimeError
        If torch.distributed has not been initialised.
    ValueError
        If the processes have moments of different widths, grids or scales.
    OverflowError
        If the total does not fit into 64-bit integers.
    """
    widths = moments.n_features, moments.n_values
    torch, dist = import_optional("torch", "lm"), import_optional("torch.distributed", "lm")
    if not (dist.is_available() and dist.is_initialized()):
        raise RuntimeError(
            "torch.distributed has not been initialised; start the script with torchrun and call "
            "torch.distributed.init_process_group() before all_reduce()"
        )
    mine = _Share(widths, moments.grids, moments.exact, diagonals(moments.sums))
    shares: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(shares, mine, group=group)
    joined = _join_grids(shares)
    dtype = np.int64 if all(share.exact for share in shares) else np.float64
    total = torch.from_numpy(_flatten(moments, dtype))
    device = "cuda" if dist.get_backend(group) == "nccl" else "cpu"
    on_device = total.to(device)
    dist.all_reduce(on_device, group=group)
    sums, products = _unflatten(on_device.cpu().numpy(), *widths)
    return moments.replace_sums(sums, products, joined)


def _join_grids(shares: list[_Share]) -> GridPair:
    """Return the grids of the total; raise if the sums cannot be added."""
    for name, found in (
        ("(n_features, n_values)", [share.shape for share in shares]),
        ("grid", [share.grids.bits for share in shares]),
    ):
        if len(set(found)) > 1:
            raise ValueError(
                f"cannot add up moments whose {name} differs between processes: {found}; construct "
                "Moments with the same parameters in every process"
            )
    joined = reduce(GridPair.unite, (share.grids for share in shares))
    if all(share.exact for share in shares):
        for name in shares[0].squares:
            totals = sum(share.squares[name].astype(np.float64) for share in shares)
            if np.max(totals, initial=0.0) >= INT64_LIMIT:
                raise OverflowError(
                    f"{name} over all processes does not fit into the 64-bit integers that keep "
                    "sums exact; use a coarser grid (grid=16) or a larger scale"
                )
    return joined


def _flatten(moments: Moments, dtype: type) -> AnyArray:
    """Concatenate all sums in one array."""
    parts = pack(moments.sums, moments.products).values()
    return np.concatenate([part.astype(dtype).ravel() for part in parts])


def _unflatten(flat: AnyArray, n_features: int, n_values: int) -> tuple[Sums, Gram]:
    """Restore the sums from what `_flatten` returned."""
    shapes = packed_shapes(n_features, n_values)
    ends = np.cumsum([prod(shape) for shape in shapes.values()])
    parts = zip(shapes.items(), np.split(flat, ends[:-1]), strict=True)
    packed = {name: part.reshape(shape) for (name, shape), part in parts}
    return unpack(packed, n_features, n_values)
