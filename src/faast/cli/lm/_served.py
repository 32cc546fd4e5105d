"""Memories that a server has taught: what the server's log holds of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from faast.serve.memories.log import ReadLog


def log_path(folder: str | Path) -> Path:
    """Return where the log of a memory is, if a server has taught the memory."""
    from faast.lm.folders import LOG_SUFFIX

    resolved = Path(folder).resolve()
    return resolved.with_name(resolved.name + LOG_SUFFIX)


def require_written(name: str) -> None:
    """Raise ValueError for a memory of which a server has written only the log."""
    if name and not Path(name).exists() and (log := log_path(name)).exists():
        raise ValueError(
            f"the server that made the memory {name} has written only {log.name} so far; ask the "
            f"server, or stop it once it has learned a text: then it writes {name}"
        )


def tell_outdated(folder: str | Path) -> None:
    """Say on standard error if a server has taught a memory more than its folder holds."""
    log = log_path(folder)
    if not log.exists():
        return
    from faast.lm import memory_folder

    try:
        with _opened(log) as opened:
            _, latest = opened.last()
    except ValueError as error:
        typer.echo(f"{error}; {folder} is read as it is", err=True)
        return
    if memory_folder.read(folder).state_hash != latest:
        typer.echo(
            f"{folder} does not hold yet what a server taught it last, which is in {log.name}; ask "
            "the server, or stop it first (start it again if it was killed)",
            err=True,
        )


def learned_sources(folder: Path) -> dict[str, int] | None:
    """Return how many texts of each source a server has taught a memory; None if none has."""
    log = log_path(folder)
    if not log.exists():
        return None
    with _opened(log) as opened:
        return opened.sources()


@contextmanager
def _opened(path: Path) -> Iterator[ReadLog]:
    from faast.serve.memories.log import ReadLog

    log = ReadLog(path)
    try:
        yield log
    finally:
        log.close()
