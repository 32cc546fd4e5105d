"""Progress on standard error: shown on terminals only, and only for work that takes long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # rich is imported only where there is a terminal to draw on
    from rich.console import Console

T = TypeVar("T")

QUIET_SECONDS = 1.0
"""Work that takes less than this shows nothing."""


def progress_bar(
    steps: Iterable[T],
    fraction: Callable[[], float | None],
    description: str,
    *,
    enabled: bool = True,
    console: Console | None = None,
) -> Iterator[T]:
    """Yield the steps, and show a progress bar once they have taken `QUIET_SECONDS`.

    Parameters
    ----------
    steps : iterable
    fraction : callable
        Returns the share of the work that is done, 0 to 1, or None if unknown. Called after each
        step.
    description : str
        Shown to the left of the bar.
    enabled : bool
        False never shows a bar. True shows one only if the console is a terminal.
    console : rich.console.Console, optional
        Where to draw; standard error by default.
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
    """Show a moving bar and the seconds gone once the `with` block has taken `QUIET_SECONDS`.

    Parameters
    ----------
    description : str
        Shown to the left of the bar.
    console : rich.console.Console, optional
        Where to draw; standard error by default. Nothing is drawn unless it is a terminal.
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
