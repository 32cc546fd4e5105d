"""Forward passes of one model by several threads, and changes of its memories between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Passes:
    """Lets any number of threads run a model at once, or one thread change what they read, alone.

    A pass that began before a change would read one state in some layers and another in the rest.
    A text that is generated may go on with the new state, in a new call. Whoever wants to change
    something comes before passes that have not begun. Do not enter `stopped` inside `running`, or
    `running` inside `stopped`: that would wait forever.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._running = 0
        self._wanting = 0

    @property
    def wanted(self) -> bool:
        """Whether a thread waits for those that run the model: they are to end soon."""
        return self._wanting > 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the model until the block ends."""
        with self._changed:
            self._changed.wait_for(lambda: not self._wanting)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Change hooks or memories until the block ends; one thread at a time may ask for it."""
        with self._changed:
            self._wanting += 1
            self._changed.wait_for(lambda: not self._running)
        try:
            yield
        finally:
            with self._changed:
                self._wanting -= 1
                self._changed.notify_all()
