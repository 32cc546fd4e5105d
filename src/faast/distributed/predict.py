"""Predict the rows of a Ray dataset with many workers."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from faast._utils.imports import import_optional
from faast.core import persistence
from faast.data import RowSource
from faast.data.reader import WINDOW_ROWS
from faast.distributed.ray_dataset import TableReader
from faast.distributed.run import can_use_gpu, refer_to_encoder
from faast.distributed.worker import Resources
from faast.estimators import FaastClassifier
from faast.estimators.encoder_reference import EncoderReference

PREDICTION, PROBABILITY = "prediction", "probability"


def predict_dataset(
    dataset: Any,
    model: FaastClassifier | str | os.PathLike[str],
    *,
    row_column: str | None = None,
    label_column: str = "label",
    workers: int | None = None,
) -> Any:
    """Add predictions to a Ray dataset; they are computed when it is read.

    Parameters
    ----------
    dataset : ray.data.Dataset
    model : FaastClassifier, or path of a model file
        Workers get only what prediction needs.
    row_column : str, optional
        See `faast.data.open_rows`.
    label_column : str
        Column of labels, which is not part of the rows; it may be missing.
    workers : int, optional
        Largest number of workers. By default one per GPU of the cluster for encoders that can use
        it, else one per processor core.

    Returns
    -------
    ray.data.Dataset
        Lazy; its own columns and "prediction" (the label) and "probability" (of that label).

    Raises
    ------
    ImportError
        If Ray is not installed.
    ValueError
        When the dataset is read, if a row cannot be read or encoded.
    """
    ray = import_optional("ray", "ray")
    loaded = persistence.load(model) if isinstance(model, str | os.PathLike) else model
    encoder, classifier = refer_to_encoder(loaded), loaded.on_features().compact()
    resources = Resources.of_cluster(ray, can_use_gpu(loaded), workers)
    return dataset.map_batches(
        Predictor,
        fn_constructor_args=(encoder, classifier, row_column, label_column),
        batch_size=WINDOW_ROWS,
        batch_format="pyarrow",
        concurrency=(1, resources.n_workers),
        num_gpus=resources.n_gpus,
    )


class Predictor:
    """Predicts tables of rows; an actor that loads the encoder once.

    Parameters
    ----------
    encoder : EncoderReference or None
        Loaded by the first table. None if rows are features.
    classifier : FaastClassifier
        Of features; only what prediction needs.
    row_column, label_column
        See `predict_dataset`.
    """

    def __init__(
        self,
        encoder: EncoderReference | None,
        classifier: FaastClassifier,
        row_column: str | None,
        label_column: str,
    ) -> None:
        self.encoder, self.classifier = encoder, classifier
        self.columns = row_column, label_column

    def __call__(self, table: Any) -> Any:
        """Append the columns "prediction" and "probability" to a pyarrow.Table."""
        arrow = import_optional("pyarrow", "ray")
        modality = "features" if self.encoder is None else self.encoder.modality
        source = RowSource(TableReader(table), modality, *self.columns, labelled=False)
        rows = [row for batch in source for row in batch.rows]
        features = np.asarray(rows) if self.encoder is None else self.encoder.encoder.encode(rows)
        probabilities = self.classifier.predict_proba(features)
        labels = self.classifier.classes_[probabilities.argmax(axis=1)].tolist()
        predicted = table.append_column(PREDICTION, arrow.array(labels))
        return predicted.append_column(PROBABILITY, arrow.array(probabilities.max(axis=1)))
