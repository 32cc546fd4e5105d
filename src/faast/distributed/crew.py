"""Workers of one run, and who has which part."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from faast.distributed.parts import Part
from faast.distributed.worker import Worker

RESTARTS = 8
"""A worker process that dies is started again, and its parts learned again, this many times."""

PARTS_AHEAD = 2
"""Parts that a worker holds: one at work, and the next."""


@dataclass(frozen=True)
class Room:
    """How many workers, and how many GPUs each."""

    n_workers: int
    n_gpus: int

    @classmethod
    def on(cls, ray: Any, floats: bool, n_workers: int | None) -> Room:
        """Take a worker a GPU where there are some to use, else one a core, unless told."""
        found = ray.cluster_resources()
        n_gpus = 1 if floats and found.get("GPU") else 0
        return cls(n_workers or max(1, int(found.get("GPU" if n_gpus else "CPU", 1))), n_gpus)


class Crew:
    """Actors that learn parts; each gets its next part when it is done with one.

    Parameters
    ----------
    ray : module
    room : Room
    *arguments
        Of `Worker`.
    """

    def __init__(self, ray: Any, room: Room, *arguments: Any) -> None:
        self._ray = ray
        kind = ray.remote(Worker).options(
            max_restarts=RESTARTS, max_task_retries=RESTARTS, num_gpus=room.n_gpus
        )
        self._actors = [kind.remote(*arguments) for _ in range(room.n_workers)]
        self._free = deque(self._actors * PARTS_AHEAD)
        self._busy: dict[Any, Any] = {}
        self._n_parts = 0

    @property
    def fraction(self) -> float:
        """How many of the parts that were handed out are done, 0 to 1."""
        return 1 - len(self._busy) / max(1, self._n_parts)

    def learn(self, part: Part) -> Any:
        """Hand a part to a worker, as soon as one is free; return a reference to what it leaves."""
        if not self._free:
            self._wait()
        actor = self._free.popleft()
        receipt, partial = actor.learn.options(num_returns=2).remote(part)
        self._busy[receipt] = actor
        self._n_parts += 1
        return partial

    def finish(self) -> Iterator[None]:
        """Wait until all parts are done, one step a part."""
        while self._busy:
            self._wait()
            yield

    def dismiss(self) -> None:
        """Stop the workers, whatever they are doing."""
        for actor in self._actors:
            self._ray.kill(actor)

    def _wait(self) -> None:
        (done, *_), _ = self._ray.wait(list(self._busy))
        self._free.append(self._busy.pop(done))
        self._ray.get(done)  # raises what the worker raised
