"""Turn the rows of an estimator into features, with a frozen encoder if rows are raw."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import Tags

from faast._utils.arrays import AnyArray
from faast.core import persistence
from faast.data.reader import Modality
from faast.encoders import Encoder
from faast.estimators.base import FaastEstimator
from faast.estimators.encoder_reference import EncoderReference


class RawRowsMixin(FaastEstimator):
    """Mixin of estimators that encodes raw rows as features, and finds its encoder in files."""

    encoder: str | Encoder | None
    cache: str | os.PathLike[str] | None
    verbose: bool

    _default_encoder: ClassVar[str | None] = None
    _required_modality: ClassVar[Modality | None] = None
    _reference: EncoderReference | None = None

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        encoder: Encoder | None = None,
        *,
        cache: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Load a saved estimator and its encoder; `faast.load` loads the encoder when needed.

        Parameters
        ----------
        path : path-like
        encoder : Encoder, optional
            The encoder, if it is loaded already or needs options such as a device.
        cache : path-like, optional
            Folder that keeps the features of learned rows; see `CachedEncoder`.

        Raises
        ------
        ModelFileError
            As for `faast.load`.
        EncoderMismatchError
            If the encoder is not the one that rows were learned with.
        ValueError
            If the file holds an object of another class.
        """
        loaded = persistence.load(path)
        if not isinstance(loaded, cls):
            raise ValueError(f"{path} holds a {type(loaded).__name__}, not a {cls.__name__}")
        opened = loaded.encoder_ if encoder is None else encoder
        if opened is not None:
            loaded.use_encoder(opened)
        loaded.cache = cache
        return loaded

    @property
    def modality(self) -> Modality:
        """Kind of rows that the estimator takes: "features", "text" or "image"."""
        reference = self._encoding()
        return "features" if reference is None else reference.modality

    @property
    def encoder_(self) -> Encoder | None:
        """The encoder, loaded on first access; None if rows are features."""
        reference = self._encoding()
        return None if reference is None else reference.encoder

    @property
    def encoder_name(self) -> str | None:
        """The encoder's name, without opening it; None where rows are features."""
        reference = self._encoding()
        return None if reference is None else reference.name

    @property
    def fingerprint(self) -> str | None:
        """The encoder's fingerprint, without opening it; None where rows are features."""
        reference = self._encoding()
        return None if reference is None else reference.fingerprint

    def use_encoder(self, encoder: Encoder) -> Self:
        """Use an encoder that is loaded already, for instance with options such as a device.

        Parameters
        ----------
        encoder : Encoder

        Raises
        ------
        EncoderMismatchError
            If it is not the encoder that rows were learned with.
        ValueError
            If rows are features.
        """
        reference = self._encoding()
        if reference is None:
            raise ValueError("this model learned features; it has no encoder to replace")
        reference.use(encoder)
        self.encoder = encoder
        return self

    def encode(self, rows: Any, *, progress: bool = False) -> AnyArray:
        """Encode rows to be predicted.

        Parameters
        ----------
        rows : array-like of shape (n, d); with an encoder, n raw rows
        progress : bool
            Show a bar on the terminal, if there is one, when encoding takes longer than a second.

        Returns
        -------
        ndarray of shape (n, d)
            Features; with an encoder float32 rows of norm 1.
        """
        reference = self._encoding()
        if reference is None:
            return np.asarray(rows)
        return reference.encoder.encode(as_list(rows), progress=progress or self.verbose)

    def encode_to_learn(self, rows: Any, *, progress: bool = False) -> Any:
        """Encode rows for `partial_fit_encoded`, and keep their features in the cache, if any.

        Parameters
        ----------
        rows, progress
            See `encode`.

        Returns
        -------
        ndarray of shape (n, d), float32; the rows themselves if they are features
        """
        reference = self._encoding()
        if reference is None:
            return rows
        progress = progress or self.verbose
        return reference.encode_to_learn(as_list(rows), self.cache, progress=progress)

    def _can_recall(self) -> bool:
        """Return whether the features that rows were learned with are known, bit for bit."""
        reference = self._encoding()
        return reference is None or self.cache is not None or reference.encoder.reproducible

    def _recall(self, rows: Any) -> Any:
        """Return the features that rows were learned with."""
        reference = self._encoding()
        return rows if reference is None else reference.recall(as_list(rows), self.cache)

    def _features(self, X: Any) -> AnyArray:
        """Return the validated features of rows to be predicted."""
        return self._check_features(X if self._encoding() is None else self.encode(X), first=False)

    def _require_same_encoder(self, other: RawRowsMixin) -> None:
        """Raise ValueError if another estimator has features of another encoder, or none."""
        for what, mine, theirs in (
            ("modality", self.modality, other.modality),
            ("encoder", self.fingerprint, other.fingerprint),
        ):
            if mine != theirs:
                raise ValueError(
                    f"only models of one encoder can be merged: {what} is {mine!r} here and "
                    f"{theirs!r} there ({self.encoder_name} and {other.encoder_name})"
                )

    def describe_encoder(self) -> dict[str, Any] | None:
        """Return as JSON which encoder is used, without opening it; None if rows are features."""
        reference = self._encoding()
        return None if reference is None else reference.to_metadata()

    def restore_encoder(self, described: dict[str, Any] | None) -> None:
        """Use the encoder that `describe_encoder` described; it is loaded when first needed.

        Raises
        ------
        ValueError
            If an estimator of this class cannot have such an encoder.
        """
        self.encoder = None
        if described is None:
            return
        reference = EncoderReference.from_metadata(described)
        reference.require_modality(self._required_modality)
        self._reference = reference
        if reference.name != self._default_encoder:
            self.encoder = reference.name

    def set_params(self, **params: Any) -> Self:
        """Set parameters; before the first rows are learned, an encoder takes effect at once.

        Raises
        ------
        ValueError
            As for any estimator.
        """
        super().set_params(**params)
        if "encoder" in params and not hasattr(self, "learned_"):
            self._reference = None
        return self

    def _encoding(self) -> EncoderReference | None:
        """Return the reference to the encoder; None if rows are features."""
        encoder = self._default_encoder if self.encoder is None else self.encoder
        if self._reference is None and encoder is not None:
            reference = EncoderReference.of(encoder)
            reference.require_modality(self._required_modality)
            self._reference = reference
        return self._reference

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        if self.encoder is not None or self._default_encoder is not None:
            tags.input_tags.two_d_array = False
            tags.no_validation = True
        return tags


def as_list(rows: Any) -> Sequence[Any]:
    """Return raw rows as a list; of a table or array with one column, the entries."""
    shape: tuple[int, ...] = getattr(rows, "shape", (0,))
    if isinstance(rows, Mapping) or (hasattr(rows, "columns") and shape[1:] != (1,)):
        raise TypeError(
            f"rows must be a list, Series or array of raw rows, got a {type(rows).__name__}; pass "
            "one column of it"
        )
    if isinstance(rows, str | bytes):
        raise TypeError(
            "rows must be several rows, got one; pass [row], or ask predict_one(row) for one answer"
        )
    if len(shape) == 3 and shape[2] in (3, 4):
        raise ValueError(
            f"an array of shape {shape} is one picture in colour; pass [picture], or an array of "
            "shape (n, height, width, channels)"
        )
    if len(shape) == 2 and shape[1] == 1:
        return np.asarray(rows, dtype=object)[:, 0].tolist()
    if isinstance(rows, np.ndarray) and rows.ndim == 1:
        return rows.tolist()
    return list(rows)


def is_visible(text: str) -> bool:
    """Tell whether a text holds a character that can be seen."""
    return any(letter.isprintable() and not letter.isspace() for letter in text)
