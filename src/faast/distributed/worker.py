"""Ray actors that encode and learn partitions, and the pool that hands partitions to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from faast._utils.arrays import AnyArray
from faast.distributed.checkpoint import Checkpoint
from faast.distributed.partial_state import PartialState
from faast.distributed.partitions import Partition, Span
from faast.estimators import FaastClassifier
from faast.estimators.batches import encode_batches
from faast.estimators.encoder_reference import EncoderReference

MAX_RESTARTS = 8
"""How often a worker process that dies is started again and its partitions are learned again."""

PARTITIONS_PER_WORKER = 2
"""Partitions that a worker holds at a time: the one it learns, and the next one."""


class Worker:
    """Learns partitions; an actor that loads the encoder once.

    Parameters
    ----------
    encoder : EncoderReference or None
        Loaded by the first partition. None if rows are features.
    classifier : FaastClassifier
        Of features, not fitted; only its parameters are used.
    grid_state : PartialState or None
        A state of no rows, whose grid each partition starts from.
    checkpoint : Checkpoint or None
        Where to save the state of each partition.
    """

    def __init__(
        self,
        encoder: EncoderReference | None,
        classifier: FaastClassifier,
        grid_state: PartialState | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.encoder, self.classifier = encoder, classifier
        self.grid_state, self.checkpoint = grid_state, checkpoint

    def learn(self, partition: Partition) -> tuple[int, PartialState]:
        """Learn a partition from scratch; return its index and its state."""
        classifier = clone(self.classifier)
        if self.grid_state is not None:
            grid = self.grid_state
            classifier.learn_statistics(grid.classes, grid.statistics, grid.kind)
        for features, labels in encode_batches(partition.batches, self._encode):
            classifier.partial_fit(features, labels)
        state = PartialState.of(classifier)
        if self.checkpoint is not None:
            self.checkpoint.save(state, Span(partition.index, partition.index + 1))
        return partition.index, state

    def _encode(self, rows: Sequence[Any]) -> AnyArray:
        return np.asarray(rows) if self.encoder is None else self.encoder.encoder.encode(rows)


def merge_states(
    left: PartialState, right: PartialState, span: Span, checkpoint: Checkpoint | None
) -> PartialState:
    """Merge the states of neighbouring spans and save the result; `span` covers both."""
    merged = left.merge(right)
    if checkpoint is not None:
        checkpoint.save(merged, span)
    return merged


@dataclass(frozen=True)
class Resources:
    """What the workers of a run use.

    Attributes
    ----------
    n_workers : int
    n_gpus : int
        Per worker.
    """

    n_workers: int
    n_gpus: int

    @classmethod
    def of_cluster(cls, ray: Any, use_gpu: bool, n_workers: int | None = None) -> Resources:
        """Take one worker per GPU if GPUs are there and of use, else one per processor core.

        Parameters
        ----------
        ray : module
            Connected.
        use_gpu : bool
            Whether the workers can use a GPU.
        n_workers : int, optional
            Take this number of workers instead.
        """
        found = ray.cluster_resources()
        n_gpus = 1 if use_gpu and found.get("GPU") else 0
        return cls(n_workers or max(1, int(found.get("GPU" if n_gpus else "CPU", 1))), n_gpus)


class WorkerPool:
    """Starts workers and gives each its next partition when it has finished one.

    Parameters
    ----------
    ray : module
        Connected.
    resources : Resources
    *arguments
        Of `Worker`.
    """

    def __init__(self, ray: Any, resources: Resources, *arguments: Any) -> None:
        self._ray = ray
        actor = ray.remote(Worker).options(
            max_restarts=MAX_RESTARTS, max_task_retries=MAX_RESTARTS, num_gpus=resources.n_gpus
        )
        self._workers = [actor.remote(*arguments) for _ in range(resources.n_workers)]
        self._free = deque(self._workers * PARTITIONS_PER_WORKER)
        self._busy: dict[Any, Any] = {}  # worker by the reference to a partition's index
        self._n_submitted = 0

    @property
    def fraction(self) -> float:
        """Share of the submitted partitions that are done, 0 to 1."""
        return 1 - len(self._busy) / max(1, self._n_submitted)

    def learn(self, partition: Partition) -> Any:
        """Submit a partition as soon as a worker is free; return a reference to its state.

        Raises what a worker raised on an earlier partition.
        """
        if not self._free:
            self._wait_for_one()
        worker = self._free.popleft()
        index, state = worker.learn.options(num_returns=2).remote(partition)
        self._busy[index] = worker
        self._n_submitted += 1
        return state

    def wait(self) -> Iterator[None]:
        """Wait until all partitions are done, yielding after each.

        Raises what a worker raised.
        """
        while self._busy:
            self._wait_for_one()
            yield

    def shutdown(self) -> None:
        """Kill the workers, even while they work."""
        for worker in self._workers:
            self._ray.kill(worker)

    def _wait_for_one(self) -> None:
        (done, *_), _ = self._ray.wait(list(self._busy))
        self._free.append(self._busy.pop(done))
        self._ray.get(done)  # raises what the worker raised
