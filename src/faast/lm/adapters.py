"""Which named memory each row of a batch reads: per thread, per block of code."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


DEFAULT = "default"
Names = tuple[str, ...]
"""One name for every row, or one a row."""

_selected: ContextVar[Mapping[int, Names]] = ContextVar(
    "faast_selected", default=MappingProxyType({})
)


def selected(owner: object) -> Names:
    """Return the names that this thread currently selects for an owner."""
    return _selected.get().get(id(owner), (DEFAULT,))


@contextmanager
def select(owner: object, names: Names) -> Iterator[None]:
    """Select names for an owner, in this thread, until the block ends."""
    token = _selected.set({**_selected.get(), id(owner): names})
    try:
        yield
    finally:
        _selected.reset(token)


def as_names(name: str | Sequence[str]) -> Names:
    """Read one name or one a row.

    Raises
    ------
    ValueError
        No name, or something that is none.
    """
    names = (name,) if isinstance(name, str) else tuple(name)
    if not names or not all(names):
        raise ValueError(f"expected a memory's name, or one a row of the batch, got {name!r}")
    return names


def rows_by_name(names: Names, n_rows: int) -> dict[str, list[int]]:
    """Rows of a batch by the memory they read.

    A batch that beams or several returned sequences multiplied repeats each row's name.

    Raises
    ------
    ValueError
        The rows are no multiple of the names.
    """
    if n_rows % len(names):
        raise ValueError(
            f"{len(names)} memory names were selected for a batch of {n_rows} rows; give one name, "
            "or one a row"
        )
    owners = [name for name in names for _ in range(n_rows // len(names))]
    return {
        name: [row for row, owner in enumerate(owners) if owner == name]
        for name in dict.fromkeys(owners)
    }
