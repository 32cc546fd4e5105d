"""A progress bar that only a person at a terminal sees."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

T = TypeVar("T")

QUIET_SECONDS = 1.0


def track(steps: Sequence[T], description: str, *, enabled: bool) -> Iterator[T]:
    """Yield the steps, with a bar on standard error from the second that it starts to take time.

    Nothing is written without a terminal.
    """
    console = Console(stderr=True)
    if not (enabled and console.is_terminal):
        yield from steps
        return
    with Progress(console=console, transient=True, disable=False) as bar:
        bar.stop()
        task = bar.add_task(description, total=len(steps))
        begin, shown = time.monotonic(), False
        for step in steps:
            if not shown and time.monotonic() - begin > QUIET_SECONDS:
                bar.start()
                shown = True
            yield step
            bar.advance(task)
