"""Classifiers as commands use them: made for rows, loaded from a file, solved and saved."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from faast import FaastClassifier, ImageClassifier, TextClassifier, load
from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.progress import spinner
from faast.cli._options import Encoding, Reading
from faast.core.weights import FastWeights
from faast.data import guess_modality, open_reader
from faast.data.reader import Modality
from faast.encoders import load_encoder
from faast.estimators import EncodedClassifier
from faast.estimators.class_memory import ClassMemory
from faast.estimators.class_names import Named
from faast.estimators.explanation import novelty_of

CACHE_SUFFIX = ".features"
"""Added to the name of a model file: the folder with the features of its learned rows."""


class Learner:
    """A classifier of features or of raw rows, with the same members for both.

    Parameters
    ----------
    model : FaastClassifier or EncodedClassifier
        Without an encoder, rows are features: `encode` returns them as they are and no class has
        an embedded name.
    """

    def __init__(self, model: FaastClassifier | EncodedClassifier) -> None:
        self.model = model

    @property
    def _classifier(self) -> FaastClassifier:
        return self.model if isinstance(self.model, FaastClassifier) else self.model.classifier

    @property
    def modality(self) -> Modality:
        """What a row is: "text", "image" or "features"."""
        return "features" if isinstance(self.model, FaastClassifier) else self.model.modality

    @property
    def encoder_name(self) -> str | None:
        """Name of the encoder; None without one."""
        return None if isinstance(self.model, FaastClassifier) else self.model.encoder_name

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of the encoder; None without one."""
        return None if isinstance(self.model, FaastClassifier) else self.model.fingerprint

    @property
    def class_names(self) -> bool | None:
        """Whether the names of learned classes are evidence; None without an encoder."""
        return None if isinstance(self.model, FaastClassifier) else self.model.class_names

    @property
    def encoder_(self) -> Any:
        """The encoder, loaded when first needed; None without one."""
        return None if isinstance(self.model, FaastClassifier) else self.model.encoder

    @property
    def is_fitted(self) -> bool:
        """Whether anything has been learned."""
        return self._classifier.__sklearn_is_fitted__()

    @property
    def is_compact(self) -> bool:
        """Whether it holds weights alone and can neither learn nor forget."""
        return self._classifier.learned_ is None

    @property
    def n_rows_(self) -> float:
        """Number of learned rows, or the sum of their weights."""
        return self._classifier.n_rows_

    @property
    def classes_(self) -> AnyArray:
        """Labels that can be predicted, shape (C,)."""
        return self._classifier.classes_

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        return self._classifier.n_features_in_

    @property
    def temperature_(self) -> float:
        """Scores are divided by it before the softmax."""
        return self._classifier.temperature_

    @property
    def weights_(self) -> FastWeights:
        """Fast weights, solved when first read after a change."""
        return self._classifier.weights_

    def set_cache(self, folder: Path) -> None:
        """Keep the features of learned rows in a folder; needs an encoder."""
        assert isinstance(self.model, EncodedClassifier)
        self.model.cache = folder

    def rename_classes(self, labels: Mapping[Hashable, Hashable]) -> None:
        """Give classes other labels; classes that are not named keep theirs."""
        learned = self._classifier.learned_
        if isinstance(learned, ClassMemory):
            learned.rename(labels)

    def merge(self, other: Learner) -> None:
        """Learn everything that another classifier has learned.

        Raises
        ------
        ValueError
            If the other has rows of another kind or another encoder.
        """
        if self.modality != other.modality:
            raise ValueError(
                f"cannot merge a model of {self.modality} rows with one of {other.modality} rows"
            )
        self.model.merge(other.model)  # type: ignore[arg-type]  # of one modality, so of one kind

    def encode(self, rows: Sequence[Any]) -> AnyArray:
        """Encode rows, shape (n, d)."""
        if isinstance(self.model, FaastClassifier):
            return np.asarray(rows)
        return self.model.encode(rows)

    def encode_to_learn(self, rows: Sequence[Any]) -> AnyArray:
        """Encode rows that will be learned: through the folder of features, if there is one."""
        if isinstance(self.model, FaastClassifier):
            return np.asarray(rows)
        return self.model.encode_to_learn(rows)

    def embed_names(self, labels: Sequence[Hashable]) -> Named:
        """Embed the labels whose names are evidence."""
        return {} if isinstance(self.model, FaastClassifier) else self.model.encode_names(labels)

    def partial_fit_encoded(
        self, features: AnyArray, labels: Sequence[Hashable], names: Named
    ) -> None:
        """Learn rows encoded by `encode_to_learn` and names embedded by `embed_names`."""
        if isinstance(self.model, FaastClassifier):
            self.model.partial_fit(features, labels)
        else:
            self.model.add_features(features, labels, names)

    def forget(self, rows: Sequence[Any], labels: Sequence[Hashable]) -> None:
        """Forget rows that were learned."""
        if isinstance(self.model, FaastClassifier):
            self.model.forget(np.asarray(rows), labels)
        else:
            self.model.forget(rows, labels)

    def predict_proba_encoded(self, features: AnyArray) -> FloatArray:
        """Predict probabilities of encoded rows, shape (n, C)."""
        return self._classifier.predict_proba(features)

    def novelty_encoded(self, features: AnyArray) -> FloatArray | None:
        """Score the novelty of encoded rows, shape (n,); None if the model does not score it."""
        return novelty_of(self._classifier, features)

    def to_onnx(self, path: Path) -> None:
        """Write an ONNX graph that predicts from features."""
        self.model.to_onnx(path)

    def save(self, path: Path) -> None:
        """Write the model file."""
        self.model.save(path)


def new_classifier(
    data: str,
    encoding: Encoding,
    reading: Reading,
    class_names: bool | None = None,
    novelty: bool = False,
) -> Learner:
    """Make a classifier for the rows of a file, with the named encoder or the usual one.

    Parameters
    ----------
    data : str
        What the user named; standard input is taken to hold texts.
    encoding : Encoding
    reading : Reading
    class_names : bool, optional
        Whether the names of classes are evidence; by default the encoder decides.
    novelty : bool
        Whether the classifier shall score the novelty of rows.

    Raises
    ------
    ValueError
        If there is no such encoder, or an option contradicts the rows.
    """
    if encoding.encoder is not None:
        with spinner(f"Loading {encoding.encoder}"):
            options = {} if encoding.revision is None else {"revision": encoding.revision}
            encoder = load_encoder(encoding.encoder, **options)
        if encoder.modality == "features":
            raise ValueError("tables of numbers need no encoder; leave --encoder out")
        kind = TextClassifier if encoder.modality == "text" else ImageClassifier
        return Learner(kind(encoder, class_names=class_names, novelty=novelty))
    if encoding.revision is not None:
        raise ValueError("--revision belongs to an encoder's checkpoint; name it with --encoder")
    modality = "text" if data == "-" else _guess_modality(data, reading)
    if modality == "features":
        if class_names:
            raise ValueError(
                "--class-names needs an encoder that reads names; leave it out for tables of "
                "numbers"
            )
        return Learner(FaastClassifier(novelty=novelty))
    kind = TextClassifier if modality == "text" else ImageClassifier
    return Learner(kind(class_names=class_names, novelty=novelty))


def _guess_modality(data: str, reading: Reading) -> Modality:
    reader = open_reader(data, format=reading.format, split=reading.split)
    return guess_modality(reader, reading.text_column, reading.label_column)


def load_classifier(path: Path) -> Learner:
    """Load a classifier; it uses the folder of features beside its file, if there is one.

    Raises
    ------
    ValueError
        If the file holds something other than a classifier.
    """
    loaded = load(path)
    if not isinstance(loaded, FaastClassifier | EncodedClassifier):
        raise ValueError(f"{path} holds a {type(loaded).__name__}, not a classifier")
    if isinstance(loaded, EncodedClassifier) and cache_folder(path).is_dir():
        loaded.cache = cache_folder(path)
    return Learner(loaded)


def cache_folder(path: Path) -> Path:
    """Return the folder that keeps the features of learned rows beside a model file."""
    return path.with_name(path.name + CACHE_SUFFIX)


def open_encoder(classifier: Learner) -> None:
    """Load the encoder now, with a progress display, and not when the first row arrives."""
    if classifier.encoder_name is not None:
        with spinner(f"Loading {classifier.encoder_name}"):
            _ = classifier.encoder_


def solve_and_save(classifier: Learner, path: Path) -> None:
    """Solve the weights, so that the file can predict at once, and write the file."""
    with spinner("Solving"):
        _ = classifier.weights_
        classifier.save(path)


def count_rows(classifier: Learner) -> float:
    """Return how many rows were learned, as an integer where it is one.

    It is the sum of their weights, so it may be a fraction for models that were not made here.
    """
    n_rows = classifier.n_rows_
    return int(n_rows) if n_rows == int(n_rows) else n_rows
