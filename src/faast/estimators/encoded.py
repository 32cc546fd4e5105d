"""EncodedClassifier: a frozen encoder, a classifier on its features, and one file for both.

Classifiers of texts and of images.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import clone

from faast._utils.arrays import AnyArray
from faast._version import __version__
from faast.core import persistence
from faast.core.persistence import State, persistent
from faast.data.reader import Modality
from faast.encoders import CachedEncoder, Encoder
from faast.encoders.base import Features
from faast.estimators import FaastClassifier
from faast.estimators.class_memory import ClassMemory
from faast.estimators.class_names import Named, embed_names, is_name, name_classes
from faast.estimators.encoder_reference import OpenedEncoder
from faast.estimators.explanation import Explanation, Prediction, explain
from faast.estimators.labels import as_labels
from faast.estimators.onnx import write_onnx

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


class EncodedClassifier:
    """Classification of raw rows; see `TextClassifier` and `ImageClassifier`."""

    modality: ClassVar[Modality]

    def __init__(
        self,
        encoder: str | Encoder,
        labels: Sequence[str] = (),
        *,
        class_names: bool | None = None,
        novelty: bool = False,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        if isinstance(labels, str):
            raise TypeError(f"labels must be several names, got one string; pass [{labels!r}]")
        self._opened = OpenedEncoder.of(encoder, self.modality)
        self._prepare(labels, self.encoder.semantic if class_names is None else class_names, cache)
        named = embed_names(self.encoder, self.labels, {})
        self.classifier = FaastClassifier(class_embeddings=named or None, novelty=novelty)
        if named:  # answers by name alone, before any row
            nothing = np.empty((0, self.encoder.n_features), np.float32)
            self.classifier.partial_fit(nothing, as_labels(self.labels)[:0])

    def _prepare(
        self,
        labels: Sequence[str],
        class_names: bool,
        cache: str | os.PathLike[str] | None,
    ) -> None:
        self.labels, self.class_names = list(labels), class_names
        self.cache = None if cache is None else Path(cache)
        self._cached: CachedEncoder | None = None
        self._unnamed: FaastClassifier | None = None

    # -- learning ------------------------------------------------------------------------------

    def add(
        self, rows: Iterable[Any], labels: Sequence[Hashable], *, progress: bool = False
    ) -> Self:
        """Learn rows.

        Parameters
        ----------
        rows : iterable
            What the encoder takes; see `Encoder.encode`.
        labels : sequence
            One a row; of known or new classes.
        progress : bool
            Show a bar on the terminal, if there is one, when encoding takes longer than a second.

        Raises
        ------
        TypeError, ValueError
            A row cannot be encoded, or rows and labels differ in number; nothing has been learned.
        """
        features = self._learning.encode(rows, progress=progress)
        return self.add_features(features, labels, self.encode_names(labels))

    def add_features(self, features: Features, labels: Sequence[Hashable], names: Named) -> Self:
        """Learn rows that were encoded by `encode_to_learn`, and labels by `encode_names`."""
        self.classifier.partial_fit(features, labels)
        self._name(names)
        return self

    def forget(self, rows: Iterable[Any], labels: Sequence[Hashable]) -> Self:
        """Forget rows that were added, as if they had never been seen.

        A class whose last row is forgotten disappears, unless it was declared in `labels`.

        Raises
        ------
        RowsNotLearnedError
            The features that a row was learned with are not known: the encoder gives a row other
            last bits in another batch, and no `cache` kept them.
        ValueError
            Rows that were never learned under that label.
        """
        self.classifier.forget(self._learning.recall(rows), labels)
        self._name({})
        return self

    def merge(self, other: EncodedClassifier) -> Self:
        """Learn everything another classifier has learned; the classes are united.

        Raises
        ------
        ValueError
            Another encoder, or another use of class names.
        """
        if self.fingerprint != other.fingerprint or self.class_names != other.class_names:
            raise ValueError(
                "only models of one encoder, alike in class_names, can be merged: "
                f"{self.encoder_name!r} (fingerprint {self.fingerprint}, "
                f"class_names={self.class_names}) and {other.encoder_name!r} (fingerprint "
                f"{other.fingerprint}, class_names={other.class_names})"
            )
        if not self.classifier.__sklearn_is_fitted__():
            self.classifier = copy.deepcopy(other.classifier)
        elif other.classifier.__sklearn_is_fitted__():
            self.classifier.merge(other.classifier)
        self.labels = list(dict.fromkeys([*self.labels, *other.labels]))
        self._name(other._embeddings())
        return self

    def encode_to_learn(self, rows: Iterable[Any]) -> Features:
        """Encode rows for `add_features`, through the cache if there is one."""
        return self._learning.encode(rows)

    def encode_names(self, labels: Sequence[Hashable]) -> Named:
        """Embed labels for `add_features`; none where class names are not to speak."""
        if not self.class_names:
            return {}
        names = filter(is_name, as_labels(labels).tolist())
        return embed_names(self.encoder, names, self._embeddings())

    @property
    def _learning(self) -> Encoder:
        """What rows are learned and forgotten through."""
        if self.cache is None:
            return self.encoder
        if self._cached is None or self._cached.folder.parent != self.cache:
            self._cached = CachedEncoder(self.encoder, self.cache)
        return self._cached

    def _embeddings(self) -> Named:
        learned = getattr(self.classifier, "learned_", None)
        return {} if learned is None else learned.embeddings

    def _name(self, named: Named) -> None:
        learned = getattr(self.classifier, "learned_", None)
        if learned is not None:
            name_classes(learned, self.labels, self.class_names, named)
        self._unnamed = None

    # -- predicting ----------------------------------------------------------------------------

    @property
    def classes_(self) -> AnyArray:
        """Labels that can be predicted."""
        return self.classifier.classes_

    def encode(self, rows: Iterable[Any], *, progress: bool = False) -> Features:
        """Encode rows to be asked of `classifier`: ndarray of shape (n, d), float32, norm 1."""
        return self.encoder.encode(rows, progress=progress)

    def predict(self, rows: Iterable[Any], *, progress: bool = False) -> list[Prediction]:
        """Return the label of each row, with its probability."""
        probabilities = self.classifier.predict_proba(self.encode(rows, progress=progress))
        labels = self.classes_[probabilities.argmax(axis=1)].tolist()
        scores = probabilities.max(axis=1).tolist()
        return [Prediction(*pair) for pair in zip(labels, scores, strict=True)]

    def explain(self, row: Any) -> Explanation:
        """Say what the answer for one row is made of."""
        return explain(self.classifier, self._without_names(), self.encode([row]))

    def _without_names(self) -> FaastClassifier | None:
        learned = self.classifier.learned_
        if not isinstance(learned, ClassMemory) or not learned.embeddings:
            return self.classifier
        if self._unnamed is None and learned.memory.count:
            self._unnamed = clone(self.classifier)
            self._unnamed.n_features_in_ = self.classifier.n_features_in_
            self._unnamed.learned_ = learned.without_embeddings()
        return self._unnamed

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write what predicts as an ONNX graph of encoded rows, which it scales to norm 1."""
        write_onnx(self.classifier._fitted(), path, normalise=True)

    def to_pipeline(self) -> Pipeline:
        """Return a plain scikit-learn pipeline of the same answers, which learns no more."""
        from faast.estimators.pipeline import as_pipeline

        return as_pipeline(self.encoder, self.classifier._fitted())

    # -- the encoder and the file --------------------------------------------------------------

    @property
    def encoder(self) -> Encoder:
        """The encoder; after loading it is opened when first needed."""
        return self._opened.encoder

    @property
    def encoder_name(self) -> str:
        """The encoder's name; it is not opened for that."""
        return self._opened.name

    @property
    def fingerprint(self) -> str:
        """The encoder's fingerprint; it is not opened for that."""
        return self._opened.fingerprint

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything but the encoder's weights and the cache to exactly this path.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing has been learned.
        ValueError
            A label that a file cannot keep.
        """
        persistence.save(self, path, __version__)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        encoder: Encoder | None = None,
        *,
        cache: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Load a saved classifier and open its encoder; `faast.load` opens it when needed.

        Parameters
        ----------
        path : path-like
        encoder : Encoder, optional
            Where it is loaded already, or needs options such as a device.
        cache : path-like, optional
            The folder that kept the features of learned rows.

        Raises
        ------
        ModelFileError
            See `faast.load`.
        EncoderMismatchError
            The encoder is not the one that rows were learned with.
        """
        loaded = persistence.load(path)
        if not isinstance(loaded, cls):
            raise ValueError(f"{path} holds a {type(loaded).__name__}, not a {cls.__name__}")
        loaded._opened.use(loaded.encoder if encoder is None else encoder)
        loaded.cache = None if cache is None else Path(cache)
        return loaded

    def to_state(self) -> State:
        """Return what a file keeps."""
        return State.joined(
            {"classifier": self.classifier.to_state()},
            encoder=self._opened.to_metadata(),
            labels=self.labels,
            class_names=self.class_names,
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore what `to_state` returned."""
        restored = cls.__new__(cls)
        restored._opened = OpenedEncoder.from_metadata(state.metadata["encoder"], cls.modality)
        restored._prepare(state.metadata["labels"], bool(state.metadata["class_names"]), None)
        restored.classifier = FaastClassifier.from_state(state.part("classifier"))
        return restored


@persistent("text-classifier")
class TextClassifier(EncodedClassifier):
    """Classification of texts: construct, add, predict.

    Texts are encoded by a frozen encoder and learned by a `FaastClassifier`, with its promises: any
    order and batching, new classes at any time, nothing to tune, exact forgetting.

    Parameters
    ----------
    encoder : str or Encoder
        A name for `load_encoder`, or what it returned. "hashing" needs no weights; "minilm" knows
        meanings.
    labels : sequence of str
        Classes known by name before any row: what the encoder says of the names is the answer until
        rows say more.
    class_names : bool, optional
        Let the names of learned classes speak too, beside their rows. By default where the encoder
        is semantic, that is, puts a name near its rows. Names are labels that hold a letter.
    novelty : bool
        Keep what tells rows of no known class; see `FaastClassifier.novelty_score`.
    cache : path-like, optional
        Folder that keeps the features of learned rows, so that rows can be forgotten whose encoder
        gives other last bits in another batch; see `CachedEncoder`.

    Attributes
    ----------
    classifier : FaastClassifier
        On the encoder's features.
    classes_ : ndarray of shape (C,)

    Raises
    ------
    ValueError
        The encoder takes no text.

    Examples
    --------
    >>> from faast import TextClassifier
    >>> model = TextClassifier()
    >>> model = model.add(["lost my card", "top up failed"], ["card", "top_up"])
    >>> model.predict(["where is my card?"])[0].label
    'card'
    """

    modality: ClassVar[Modality] = "text"

    def __init__(
        self,
        encoder: str | Encoder = "hashing",
        labels: Sequence[str] = (),
        *,
        class_names: bool | None = None,
        novelty: bool = False,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(encoder, labels, class_names=class_names, novelty=novelty, cache=cache)


@persistent("image-classifier")
class ImageClassifier(EncodedClassifier):
    """Classification of images; as `TextClassifier` otherwise.

    Parameters
    ----------
    encoder : str or Encoder
        "pixels" needs no weights and serves small images; "clip:NAME" knows meanings, names of
        classes included.
    labels, class_names, novelty, cache
        See `TextClassifier`.

    Raises
    ------
    ValueError
        The encoder takes no images, or embeds no names while `labels` are given.
    """

    modality: ClassVar[Modality] = "image"

    def __init__(
        self,
        encoder: str | Encoder = "pixels",
        labels: Sequence[str] = (),
        *,
        class_names: bool | None = None,
        novelty: bool = False,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(encoder, labels, class_names=class_names, novelty=novelty, cache=cache)
