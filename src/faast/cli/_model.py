"""A model of the command line: of features, or of raw rows through an encoder."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from faast import FaastClassifier, ImageClassifier, TextClassifier, load
from faast._utils.arrays import AnyArray
from faast._utils.progress import spinner
from faast.data.reader import Modality
from faast.encoders import load_encoder
from faast.estimators import EncodedClassifier
from faast.estimators.class_names import Named

CACHE_SUFFIX = ".features"


@dataclass
class Learner:
    """What commands do with a model, whatever it is a model of.

    Attributes
    ----------
    model : FaastClassifier or EncodedClassifier
    """

    model: FaastClassifier | EncodedClassifier

    @classmethod
    def of_rows(
        cls, modality: Modality, class_names: bool | None = None, novelty: bool = False
    ) -> Self:
        """Make a model for rows of a kind, with the encoder that needs no weights.

        Raises
        ------
        ValueError
            Names of classes are to speak beside tables of numbers.
        """
        if modality == "features":
            if class_names:
                raise ValueError("tables of numbers know no names; leave --class-names out")
            return cls(FaastClassifier(novelty=novelty))
        kind = TextClassifier if modality == "text" else ImageClassifier
        return cls(kind(class_names=class_names, novelty=novelty))

    @classmethod
    def of_encoder(
        cls,
        name: str,
        revision: str | None = None,
        class_names: bool | None = None,
        novelty: bool = False,
    ) -> Self:
        """Make a model with an encoder.

        Raises
        ------
        ValueError
            No such encoder.
        """
        with spinner(f"Loading {name}"):
            encoder = load_encoder(name, **({} if revision is None else {"revision": revision}))
        kind = TextClassifier if encoder.modality == "text" else ImageClassifier
        return cls(kind(encoder, class_names=class_names, novelty=novelty))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a model file; features kept beside it are found again.

        Raises
        ------
        ValueError
            It holds something else than a classifier.
        """
        loaded = load(path)
        if not isinstance(loaded, FaastClassifier | EncodedClassifier):
            raise ValueError(f"{path} holds a {type(loaded).__name__}, not a classifier")
        if isinstance(loaded, EncodedClassifier) and cache_of(path).is_dir():
            loaded.cache = cache_of(path)
        return cls(loaded)

    @property
    def classifier(self) -> FaastClassifier:
        """The classifier of features."""
        return self.model if isinstance(self.model, FaastClassifier) else self.model.classifier

    @property
    def modality(self) -> Modality:
        """What rows are."""
        return "features" if isinstance(self.model, FaastClassifier) else self.model.modality

    @property
    def is_fitted(self) -> bool:
        """Whether anything has been learned."""
        return self.classifier.__sklearn_is_fitted__()

    @property
    def n_rows(self) -> float:
        """Rows learned, or the sum of their weights; an integer where it is whole."""
        n_rows = self.classifier.n_rows_
        return int(n_rows) if n_rows == int(n_rows) else n_rows

    def keep_features(self, folder: Path) -> None:
        """Keep the features of learned rows in a folder, to forget them exactly.

        Raises
        ------
        ValueError
            Rows are features already.
        """
        if isinstance(self.model, FaastClassifier):
            raise ValueError("rows that are features need none kept; leave --keep-features out")
        self.model.cache = folder

    def merge(self, other: Learner) -> None:
        """Learn everything another model has learned.

        Raises
        ------
        ValueError
            Of other rows or another encoder.
        """
        if self.modality != other.modality:
            raise ValueError(
                f"cannot merge a model of {self.modality} rows with one of {other.modality} rows"
            )
        self.model.merge(other.model)  # type: ignore[arg-type]  # of one modality, so of one kind

    def open_encoder(self) -> None:
        """Load the encoder now, where a wait can be shown."""
        if isinstance(self.model, EncodedClassifier):
            with spinner(f"Loading {self.model.encoder_name}"):
                _ = self.model.encoder

    def features(self, rows: Sequence[Any]) -> AnyArray:
        """Return what the classifier is asked: shape (n, d)."""
        if isinstance(self.model, FaastClassifier):
            return np.asarray(rows)
        return self.model.encode(rows)

    def features_to_learn(self, rows: Sequence[Any]) -> AnyArray:
        """Return what the classifier learns of rows: shape (n, d)."""
        if isinstance(self.model, FaastClassifier):
            return np.asarray(rows)
        return self.model.encode_to_learn(rows)

    def names_to_learn(self, labels: Sequence[Hashable]) -> Named:
        """Return the embeddings of labels whose names speak."""
        return {} if isinstance(self.model, FaastClassifier) else self.model.encode_names(labels)

    def learn(self, features: AnyArray, labels: Sequence[Hashable], names: Named) -> None:
        """Learn rows that `features_to_learn` returned, of labels that `names_to_learn` did."""
        if isinstance(self.model, FaastClassifier):
            self.model.partial_fit(features, labels)
        else:
            self.model.add_features(features, labels, names)

    def forget(self, rows: Sequence[Any], labels: Sequence[Hashable]) -> None:
        """Forget raw rows."""
        if isinstance(self.model, FaastClassifier):
            self.model.forget(np.asarray(rows), labels)
        else:
            self.model.forget(rows, labels)

    def solve_and_save(self, path: Path) -> None:
        """Write the model file, whole or not at all."""
        with spinner("Solving"):
            self.model.save(path)


def cache_of(path: Path) -> Path:
    """Return the folder beside a model file that keeps the features of learned rows."""
    return path.with_name(path.name + CACHE_SUFFIX)
