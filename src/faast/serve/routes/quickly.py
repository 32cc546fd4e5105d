"""Where questions are answered: quick ones in the event loop, others in a thread.

A thread takes longer to start on a quick answer than the answer takes, since it and the event loop
wait for the same interpreter lock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

from faast.serve.tasks.task import Task

MOST_PROBABILITIES = 4_096
"""Probabilities that a quick answer may have."""

LONGEST = 32_768
"""Characters or numbers that the rows of a quick question may have together."""

Answer = TypeVar("Answer")


async def answer(work: Callable[[], Answer], *, here: bool) -> Answer:
    """Return what some work returns, done in the event loop or in a thread."""
    return work() if here else await run_in_threadpool(work)


def is_quick(task: Task, n_rows: int, length: int) -> bool:
    """Tell whether rows are labelled in a few milliseconds.

    Of a task in another process the state has to be fetched first, which may take long.

    Parameters
    ----------
    task : Task
    n_rows : int
    length : int
        Characters or numbers that the rows have together.
    """
    if task.is_remote or not task.state.labels_quickly or length > LONGEST:
        return False
    return n_rows * len(task.state.classes) <= MOST_PROBABILITIES
