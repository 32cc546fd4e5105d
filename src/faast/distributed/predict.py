"""predict_dataset: answers for the rows of a Ray dataset."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from faast._utils.imports import import_optional
from faast.core import persistence
from faast.data import RowSource
from faast.data.reader import WINDOW_ROWS
from faast.distributed.partitions import TableReader
from faast.distributed.run import Model, Room, computes_floats, recipe
from faast.estimators import FaastClassifier
from faast.estimators.encoder_reference import OpenedEncoder

PREDICTION, PROBABILITY = "prediction", "probability"


def predict_dataset(
    dataset: Any,
    model: Model | str | os.PathLike[str],
    *,
    row_column: str | None = None,
    label_column: str = "label",
    workers: int | None = None,
) -> Any:
    """Predict every row of a Ray dataset, as it is read.

    Parameters
    ----------
    dataset : ray.data.Dataset
    model : TextClassifier, ImageClassifier, FaastClassifier, or path of a model file
        Workers are given what predicts, without what was learned.
    row_column : str, optional
        See `faast.data.open_rows`.
    label_column : str
        Left aside, where there is one.
    workers : int, optional
        At most; see `learn_dataset`.

    Returns
    -------
    ray.data.Dataset
        Lazy: with the columns "prediction" and "probability" beside its own.

    Raises
    ------
    ValueError
        When it is read: a row cannot be read or encoded.
    """
    ray = import_optional("ray", "ray")
    learned = persistence.load(model) if isinstance(model, str | os.PathLike) else model
    opened, _ = recipe(learned)
    classifier = learned if isinstance(learned, FaastClassifier) else learned.classifier
    room = Room.on(ray, computes_floats(learned), workers)
    return dataset.map_batches(
        Predictor,
        fn_constructor_args=(opened, classifier.compact(), row_column, label_column),
        batch_size=WINDOW_ROWS,
        batch_format="pyarrow",
        concurrency=(1, room.n_workers),
        num_gpus=room.n_gpus,
    )


class Predictor:
    """Answers batch after batch; as an actor it opens the encoder once.

    Parameters
    ----------
    opened : OpenedEncoder or None
        None where rows are features already.
    classifier : FaastClassifier
        Compact.
    row_column, label_column
        See `predict_dataset`.
    """

    def __init__(
        self,
        opened: OpenedEncoder | None,
        classifier: FaastClassifier,
        row_column: str | None,
        label_column: str,
    ) -> None:
        self.opened, self.classifier = opened, classifier
        self.columns = row_column, label_column

    def __call__(self, table: Any) -> Any:
        """Append answers to an Arrow table."""
        arrow = import_optional("pyarrow", "ray")
        modality = "features" if self.opened is None else self.opened.encoder.modality
        source = RowSource(TableReader(table), modality, *self.columns, labelled=False)
        rows = [row for batch in source for row in batch.rows]
        features = np.asarray(rows) if self.opened is None else self.opened.encoder.encode(rows)
        probabilities = self.classifier.predict_proba(features)
        labels = self.classifier.classes_[probabilities.argmax(axis=1)].tolist()
        answered = table.append_column(PREDICTION, arrow.array(labels))
        return answered.append_column(PROBABILITY, arrow.array(probabilities.max(axis=1)))
