"""Run one job on Ray: learn partitions, merge their states, load the sum into a model."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from sklearn.base import clone

from faast._utils.progress import progress_bar
from faast._version import __version__
from faast.data import Batch, DataError
from faast.distributed.checkpoint import Checkpoint
from faast.distributed.merge_tree import MergeTree
from faast.distributed.partial_state import PartialState
from faast.distributed.partitions import Partition, Span
from faast.distributed.worker import Resources, WorkerPool, merge_states
from faast.estimators import EncodedClassifier, FaastClassifier
from faast.estimators.batches import encode_batches
from faast.estimators.class_names import embed_names, is_name
from faast.estimators.encoder_reference import OpenedEncoder

Model = FaastClassifier | EncodedClassifier
NO_ROWS = "the dataset holds no rows"


def describe_run(model: Model, partition_rows: int, rows: Any) -> dict[str, Any]:
    """Return everything that decides what the partial states of a run hold, as JSON values.

    Parameters
    ----------
    model : FaastClassifier, TextClassifier or ImageClassifier
    partition_rows : int
    rows : JSON value
        Identifies the rows; see `PartitionedRows.describe`.
    """
    encoder = None if isinstance(model, FaastClassifier) else model.fingerprint
    run = {
        "library": __version__,
        "encoder": encoder,
        "partition_rows": partition_rows,
        "rows": rows,
    }
    described: dict[str, Any] = json.loads(json.dumps(run))
    return described


def learn_partitions(
    ray: Any,
    model: Model,
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
    model : FaastClassifier, TextClassifier or ImageClassifier
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
    encoder, classifier = encoder_and_settings(model)
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
    _load(model, copy.deepcopy(total))  # Ray's arrays are read-only views of shared memory


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


def encoder_and_settings(model: Model) -> tuple[OpenedEncoder | None, FaastClassifier]:
    """Return a reference to the encoder, not loaded, and an unfitted copy of the classifier.

    The copy has no class embeddings: they are added once, when the model is complete.
    """
    if isinstance(model, FaastClassifier):
        return None, clone(model).set_params(class_embeddings=None)
    opened = replace(model._opened, found=None)
    return opened, clone(model.classifier).set_params(class_embeddings=None)


def can_use_gpu(model: Model) -> bool:
    """Tell whether the encoder computes with floats in torch and so gains from a GPU."""
    return not isinstance(model, FaastClassifier) and not model.encoder.reproducible


def _load(model: Model, state: PartialState) -> None:
    if isinstance(model, FaastClassifier):
        state.load_into(model)
        return
    state.load_into(model.classifier)
    names = filter(is_name, state.classes.tolist()) if model.class_names else ()
    model._name(embed_names(model.encoder, names, model._embeddings()))
