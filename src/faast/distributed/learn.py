"""Learn a dataset or files with many workers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faast._utils.progress import progress_bar
from faast._utils.ray_session import LOCAL, session
from faast.data import open_rows
from faast.data.reader import Modality
from faast.distributed.checkpoint import Checkpoint
from faast.distributed.failures import unwrap_errors
from faast.distributed.partitions import PARTITION_ROWS, FileRows, PartitionedRows
from faast.distributed.ray_dataset import DatasetRows, is_ray_dataset
from faast.distributed.run import describe_run, learn_partitions
from faast.encoders import Encoder, load_encoder
from faast.estimators import CLASSIFIERS, FaastClassifier

PathLike = str | os.PathLike[str]


def learn_dataset(
    source: Any,
    encoder: str | Encoder | None = None,
    *,
    row_column: str | None = None,
    label_column: str = "label",
    class_names: bool | None = None,
    novelty: bool = False,
    address: str = LOCAL,
    workers: int | None = None,
    partition_rows: int = PARTITION_ROWS,
    resume: PathLike | None = None,
    progress: bool = False,
) -> FaastClassifier:
    """Learn rows on Ray; the model is bit for bit the one that a single process would learn.

    The rows are split into partitions by their place in the data. Workers encode partitions and sum
    up their statistics; the sums are merged in a tree. The result depends neither on the number of
    workers nor on workers that die and start again, because sums are exact and because rows are
    grouped for encoding by their place alone. Encoders that compute with floats give the same bits
    only on the same kind of device with the same number of threads (Ray gives a worker one).

    Parameters
    ----------
    source : ray.data.Dataset, path, or sequence of paths
        The workers read a dataset themselves, in the order of its blocks. Files (see
        `faast.data.open_rows`) are read by the calling process one after the other; each file
        begins a new window of rows that are encoded together.
    encoder : str or Encoder, optional
        A name for `load_encoder`, or its result; workers load it again by its settings. Without an
        encoder, rows are features.
    row_column, label_column : str
        See `faast.data.open_rows`.
    class_names, novelty : bool
        See `TextClassifier`.
    address, workers, partition_rows, resume, progress
        See `learn_rows`.

    Returns
    -------
    FaastClassifier
        A `TextClassifier` or `ImageClassifier` if there is an encoder.

    Raises
    ------
    ValueError
        If a row cannot be read, encoded or learned, or `resume` holds another run.
    ImportError
        If Ray is not installed.

    Examples
    --------
    >>> from faast.distributed import learn_dataset
    >>> model = learn_dataset("reviews.csv", "hashing")  # doctest: +SKIP
    """
    model = _build_model(encoder, class_names, novelty)
    rows: PartitionedRows
    if is_ray_dataset(source):
        rows = DatasetRows(source, model.modality, row_column, label_column)
    else:
        paths: Sequence[PathLike] = [source] if isinstance(source, str | os.PathLike) else source
        rows = FileRows(
            [
                open_rows(
                    path,
                    modality=model.modality,
                    row_column=row_column,
                    label_column=label_column,
                )
                for path in paths
            ]
        )
    learn_rows(
        model,
        rows,
        address=address,
        workers=workers,
        partition_rows=partition_rows,
        resume=resume,
        progress=progress,
    )
    return model


def learn_rows(
    model: FaastClassifier,
    rows: PartitionedRows,
    *,
    address: str = LOCAL,
    workers: int | None = None,
    partition_rows: int = PARTITION_ROWS,
    resume: PathLike | None = None,
    progress: bool = False,
) -> None:
    """Let a model that has learned no rows learn them on Ray; see `learn_dataset`.

    Features are not kept: the workers neither read nor write the folder `cache` of the model.

    Parameters
    ----------
    model : FaastClassifier
        Of features, texts or images. Unchanged after an error.
    rows : FileRows or DatasetRows
        Of the model's modality.
    address : str
        "local" starts Ray on this machine; "auto", "host:port" or "ray://host:port" join a cluster.
        If the process is connected to Ray already, the address is ignored.
    workers : int, optional
        Number of workers. By default one per GPU of the cluster for encoders that can use it, else
        one per processor core.
    partition_rows : int
        Rows per partition, a multiple of 1,024. It does not change the result.
    resume : path-like, optional
        Folder that all workers can read and write. It keeps the states of finished partitions, so
        that a run that was interrupted can be repeated without learning them again. A dataset is
        recognised by its columns and files, a file by its path, size and time.
    progress : bool
        Show a progress bar if standard error is a terminal and learning takes over a second.

    Raises
    ------
    ValueError
        If the model has learned rows already or was compacted; if a row cannot be read, encoded or
        learned; or if `resume` holds another run.
    ImportError
        If Ray is not installed.
    ConnectionError
        If there is no cluster at this address.
    ChildProcessError
        If workers died more often than they may be started again.
    """
    if model.is_fitted and model.n_rows_:
        raise ValueError(
            f"the model has learned {model.n_rows_:g} rows already; let a new model learn these "
            "rows on Ray, then merge it into this one with merge()"
        )
    partitions = progress_bar(
        rows.split(partition_rows), lambda: rows.fraction, "Learning", enabled=progress
    )
    checkpoint = None
    if resume is not None:
        run = describe_run(model, partition_rows, rows.describe())
        checkpoint = Checkpoint.open(Path(resume), run)
    with session(address) as ray, unwrap_errors(ray):
        learn_partitions(ray, model, partitions, workers, checkpoint, progress=progress)


def _build_model(
    encoder: str | Encoder | None, class_names: bool | None, novelty: bool
) -> FaastClassifier:
    opened = load_encoder(encoder) if isinstance(encoder, str) else encoder
    modality: Modality = "features" if opened is None else opened.modality
    return CLASSIFIERS[modality](encoder=opened, class_names=class_names, novelty=novelty)
