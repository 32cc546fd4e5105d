"""A lock on a file, so that one process or thread at a time changes it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: nothing is locked
    fcntl = None  # type: ignore[assignment]

LOCK_SUFFIX = ".faast-lock"

PATIENCE_SECONDS = 1.0
"""Seconds that `exclusive` waits before it tells its caller that it waits."""

POLL_SECONDS = 0.02
"""Seconds between two attempts to take a lock that another process holds."""


@contextmanager
def exclusive(
    path: str | os.PathLike[str], waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold a file for a change: other processes and threads that ask for it wait their turn.

    Load, change and save inside; else the later of two writers replaces what the earlier one
    saved. The lock is advisory and belongs to a file beside `path`, `.NAME.faast-lock`, which is
    removed when the lock is released. The kernel releases it when a process dies. Without `fcntl`
    (Windows) nothing is locked.

    Parameters
    ----------
    path : path-like
        Need not exist. Links are followed, so that every name of a file has one lock.
    waiting : callable, optional
        Called once, if somebody else has held the lock for a second.

    Raises
    ------
    OSError
        The folder cannot be written to, or its file system has no locks.
    """
    if fcntl is None:
        yield
        return
    place = Path(path).resolve()
    lock = place.with_name(f".{place.name}{LOCK_SUFFIX}")
    handle = _take(lock, waiting)
    try:
        yield
    finally:
        if is_at(handle, lock):
            lock.unlink()  # before the release: whoever waits finds that it is gone
        fcntl.flock(handle, fcntl.LOCK_UN)  # closing alone leaves it to children forked meanwhile
        os.close(handle)


def _take(lock: Path, waiting: Callable[[], None] | None) -> int:
    """Create and lock a file, and return its handle once the locked file is the one at `lock`."""
    told = time.monotonic() + PATIENCE_SECONDS
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(handle, lock):
                return handle
        except BlockingIOError:
            if waiting is not None and time.monotonic() >= told:
                waiting()
                waiting = None
            time.sleep(POLL_SECONDS)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # held by another, or removed by the one that held it before


def is_at(handle: int, path: Path) -> bool:
    """Return whether an open file is still the one at a path."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(handle), found)
