"""Run one job on Ray: learn partitions, merge their states, load the sum into a model."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from sklearn.base import clone

from faast._utils.progress import progress_bar
from faast._version import __version__
from faast.core.persistence import as_json
from faast.data import Batch, DataError
from faast.distributed.checkpoint import Checkpoint
from faast.distributed.merge_tree import MergeTree
from faast.distributed.partial_state import PartialState
from faast.distributed.partitions import Partition, Span
from faast.distributed.worker import Resources, WorkerPool, merge_states
from faast.estimators import FaastClassifier
from faast.estimators.batches import encode_batches
from faast.estimators.encoder_reference import EncoderReference
from faast.estimators.settings import describe_settings

DECISIVE_SETTINGS = ("solver", "class_weight", "selection_rows", "key_scale")
"""Parameters of a classifier that decide its statistics."""

NO_ROWS = "the dataset holds no rows"


def describe_run(model: FaastClassifier, partition_rows: int, rows: Any) -> dict[str, Any]:
    """Return everything that decides what the partial states of a run hold, as JSON values.

    Parameters
    ----------
    model : FaastClassifier
    partition_rows : int
    rows : JSON value
        Identifies the rows; see `PartitionedRows.describe`.

    Raises
    ------
    ValueError
        If the model has a solver that is not one of the library's own.
    """
    settings = describe_settings(model)
    run = {
        "library": __version__,
        "encoder": model.fingerprint,
        **{name: settings[name] for name in DECISIVE_SETTINGS},
        "partition_rows": partition_rows,
        "rows": rows,
    }
    described: dict[str, Any] = as_json(run)
    return described


def learn_partitions(
    ray: Any,
    model: FaastClassifier,
    partitions: Iterable[Partition],
    n_workers: int | None = None,
    checkpoint: Checkpoint | None = None,
    *,
    progress: bool = False,
) -> None:
    """Let a model that has learned no rows learn all partitions.

    Parameters
    ----------
    ray : module
        Connected.
    model : FaastClassifier
        Unchanged after an error.
    partitions : iterable of Partition
        In the order of their indices.
    n_workers : int, optional
        By default one per GPU for encoders that can use it, else one per processor core.
    checkpoint : Checkpoint, optional
        Where to save the states of finished partitions; those that it holds are not learned again.
    progress : bool
        Show a progress bar while waiting for the last partitions.

    Raises
    ------
    ValueError
        If there are no rows, or a row cannot be read, encoded or learned.
    """
    encoder, classifier = refer_to_encoder(model), _unfitted_on_features(model)
    remaining, grid_state = iter(partitions), None
    if encoder is None:  # encoded features have norm 1 and so a fixed grid; others do not
        read, grid_state = _decide_grid(remaining, classifier)
        remaining = chain(read, remaining)
    resources = Resources.of_cluster(ray, can_use_gpu(model), n_workers)
    pool = WorkerPool(ray, resources, encoder, classifier, grid_state, checkpoint)
    try:
        tree = _submit(ray, pool, remaining, checkpoint)
        for _ in progress_bar(pool.wait(), lambda: pool.fraction, "Learning", enabled=progress):
            pass
        total = ray.get(tree.root)
    finally:
        pool.shutdown()
    if checkpoint is not None:
        checkpoint.prune()
    state = copy.deepcopy(total)  # Ray's arrays are read-only views of shared memory
    model.learn_statistics(state.classes, state.statistics, state.kind)


def _decide_grid(
    partitions: Iterator[Partition], classifier: FaastClassifier
) -> tuple[list[Partition], PartialState]:
    """Learn the first rows here, which decide the grid of all partitions.

    Returns
    -------
    list of Partition
        The partitions that were read for that.
    PartialState
        A state of no rows on that grid.
    """
    read: list[Partition] = []

    def batches() -> Iterator[Batch]:
        for partition in partitions:
            read.append(partition)
            yield from partition.batches

    for features, labels in encode_batches(batches(), np.asarray):
        fitted = clone(classifier).fit(features, labels)
        return read, PartialState.of(fitted).without_rows()
    raise DataError(NO_ROWS)


def _submit(
    ray: Any, pool: WorkerPool, partitions: Iterable[Partition], checkpoint: Checkpoint | None
) -> MergeTree:
    """Submit all partitions whose states are not saved, and the merges of all states."""
    merge_task = ray.remote(merge_states).options(num_cpus=0)  # workers may hold every core
    tree = MergeTree(lambda left, right, span: merge_task.remote(left, right, span, checkpoint))
    n_done = 0
    for partition in partitions:
        if partition.index < n_done:
            continue
        span = None if checkpoint is None else checkpoint.find_widest(partition.index)
        if checkpoint is not None and span is not None:
            tree.push(span, ray.put(checkpoint.load(span)))
        else:
            span = Span(partition.index, partition.index + 1)
            tree.push(span, pool.learn(partition))
        if checkpoint is not None:
            checkpoint.prune()
        n_done = span.stop
    if not n_done:
        raise DataError(NO_ROWS)
    return tree


def refer_to_encoder(model: FaastClassifier) -> EncoderReference | None:
    """Return a reference by which a worker loads the encoder again; None if rows are features."""
    encoder = model.encoder_
    if encoder is None:
        return None
    return EncoderReference(encoder.settings, encoder.fingerprint, encoder.modality)


def can_use_gpu(model: FaastClassifier) -> bool:
    """Tell whether the encoder computes with floats in torch and so gains from a GPU."""
    encoder = model.encoder_
    return encoder is not None and not encoder.reproducible


def _unfitted_on_features(model: FaastClassifier) -> FaastClassifier:
    """Return a classifier of encoded rows that has the parameters of a model.

    It has no class embeddings: the model adds them once, when it has the statistics of all rows.
    """
    classifier: FaastClassifier = clone(model.on_features())
    return classifier.set_params(class_embeddings=None)
