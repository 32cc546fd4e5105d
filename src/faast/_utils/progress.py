"""A progress bar that only a person at a terminal sees, and only when work takes long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # drawing is imported where something may be drawn
    from rich.console import Console

T = TypeVar("T")

QUIET_SECONDS = 1.0


def progress_bar(
    steps: Iterable[T],
    fraction: Callable[[], float | None],
    description: str,
    *,
    enabled: bool,
    console: Console | None = None,
) -> Iterator[T]:
    """Yield steps, with a bar on standard error from the moment that they begin to take time.

    Parameters
    ----------
    steps : iterable
    fraction : callable
        How much is done, 0 to 1, or None where that is not known; asked after each step.
    description : str
    enabled : bool
        Without a terminal there is no bar either way.
    console : rich.console.Console, optional
        Standard error.
    """
    if not enabled:
        yield from steps
        return
    console = console or _standard_error()
    if not console.is_terminal:
        yield from steps
        return
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
    task = bar.add_task(description, total=None)
    begin = time.monotonic()
    try:
        for step in steps:
            if time.monotonic() - begin >= QUIET_SECONDS:
                bar.start()
            yield step
            done = fraction()
            if done is not None:
                bar.update(task, completed=done, total=1.0)
    finally:
        bar.stop()


@contextmanager
def spinner(description: str, console: Console | None = None) -> Iterator[None]:
    """Show a moving line on standard error while one step, of unknown length, takes long.

    Parameters
    ----------
    description : str
    console : rich.console.Console, optional
        Standard error.
    """
    console = console or _standard_error()
    if not console.is_terminal:
        yield
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True)
    bar.add_task(description, total=None)
    waiting = Timer(QUIET_SECONDS, bar.start)
    waiting.daemon = True
    waiting.start()
    try:
        yield
    finally:
        waiting.cancel()
        waiting.join()
        bar.stop()


def _standard_error() -> Console:
    from rich.console import Console

    return Console(stderr=True)
