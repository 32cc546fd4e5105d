"""learn_dataset: one model from rows that many workers encode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faast._utils.progress import progress_bar
from faast.distributed.checkpoint import SavedPartials
from faast.distributed.partitions import (
    PART_ROWS,
    Files,
    PathLike,
    cut,
    cut_dataset,
    describe_file,
    listed_paths,
)
from faast.distributed.run import Model, describe_run, learn_parts
from faast.distributed.session import LOCAL, session
from faast.encoders import Encoder, load_encoder
from faast.estimators import FaastClassifier, ImageClassifier, TextClassifier


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
    part_rows: int = PART_ROWS,
    resume: PathLike | None = None,
    progress: bool = False,
) -> Model:
    """Learn rows on Ray: the model is bit for bit the one that a single process would learn.

    Rows are cut into parts by their place in the data. Workers encode parts and sum what they
    teach; the sums are merged in a tree. Neither the number of workers nor one that dies on the
    way changes the result: sums are exact, and rows that are encoded together are chosen by
    their place alone. Encoders that compute with floats give the same bits on the same kind of
    device with the same number of threads (Ray gives a worker one).

    Parameters
    ----------
    source : ray.data.Dataset, path, or sequence of paths
        A dataset is read by the workers; the order of its blocks is kept. Files (see
        `faast.data.open_rows`) are read one after the other by the process that calls, and each
        begins a new window of rows that are encoded together.
    encoder : str or Encoder, optional
        What `load_encoder` takes or returned; workers load it by its settings. None: rows are
        features.
    row_column, label_column : str
        See `open_rows`.
    class_names, novelty : bool
        See `TextClassifier`.
    address : str
        See `faast.distributed.session`; a connection that there is already is used.
    workers : int, optional
        By default one a GPU of the cluster for encoders that can use them, else one a core.
    part_rows : int
        Rows of a part, a multiple of 1,024. It does not change the result.
    resume : path-like, optional
        Folder, seen by all workers, that keeps what parts have left: a run that was stopped does
        not learn them again. Another run is refused; a dataset is known by its columns and files.
    progress : bool
        Show a bar on the terminal, if there is one, when it takes longer than a second.

    Returns
    -------
    TextClassifier, ImageClassifier or FaastClassifier

    Raises
    ------
    ValueError
        A row cannot be read, encoded or learned; `resume` belongs to another run.
    ImportError
        Ray is not installed.

    Examples
    --------
    >>> from faast.distributed import learn_dataset
    >>> model = learn_dataset("reviews.csv", "hashing")  # doctest: +SKIP
    """
    model = _model(encoder, class_names, novelty)
    modality = "features" if isinstance(model, FaastClassifier) else model.modality
    columns = modality, row_column, label_column
    files = None if _is_dataset(source) else Files(listed_paths(source), *columns)
    saved = None
    if resume is not None:
        rows = (
            [source.columns(), source.input_files()]
            if files is None
            else [describe_file(path) for path in files.paths]
        )
        run = describe_run(model, part_rows, rows=rows, columns=columns)
        saved = SavedPartials.open(Path(resume), run)
    with session(address) as ray:
        if files is None:
            parts = cut_dataset(source, part_rows, *columns)
            parts = progress_bar(parts, lambda: None, "Learning", enabled=progress)
        else:
            batches = progress_bar(files, lambda: files.fraction, "Learning", enabled=progress)
            parts = cut(batches, part_rows)
        learn_parts(ray, model, parts, workers, saved, progress=progress)
    return model


def _model(encoder: str | Encoder | None, class_names: bool | None, novelty: bool) -> Model:
    if encoder is None:
        return FaastClassifier(novelty=novelty)
    opened = load_encoder(encoder) if isinstance(encoder, str) else encoder
    kind = TextClassifier if opened.modality == "text" else ImageClassifier
    return kind(opened, class_names=class_names, novelty=novelty)


def _is_dataset(source: Any) -> bool:
    """Tell whether rows are a Ray dataset, without importing Ray."""
    return type(source).__module__.partition(".")[0] == "ray"
