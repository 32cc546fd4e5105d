"""Turn the rows of a classifier into features, with a frozen encoder if rows are raw."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from faast._utils.arrays import AnyArray
from faast.data.reader import Modality
from faast.encoders import Encoder
from faast.estimators.base import FaastEstimator
from faast.estimators.class_names import Names, embed_names, is_name
from faast.estimators.encoder_reference import EncoderReference
from faast.estimators.labels import as_labels


class RawRowsMixin(FaastEstimator):
    """Mixin of estimators that encodes rows as features, and labels as embeddings."""

    encoder: str | Encoder | None
    class_names: bool | None
    cache: str | os.PathLike[str] | None
    verbose: bool

    _default_encoder: ClassVar[str | None] = None
    _required_modality: ClassVar[Modality | None] = None
    _reference: EncoderReference | None = None
    _use_names: bool | None = None

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

    @property
    def uses_class_names(self) -> bool:
        """Whether names of learned classes are embedded: `class_names`, or the encoder's default.

        Raises
        ------
        ValueError
            If `class_names` is True and rows are features.
        """
        return self._uses_names()

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

    def embed_names(self, y: Any) -> Names:
        """Embed the names among the labels (n,) for `partial_fit_encoded`.

        Returns
        -------
        dict of label to ndarray of shape (d,)
            Empty if class names are not used.
        """
        if not self._uses_names() or np.ndim(y) > 1:
            return {}
        return self._embed(label for label in as_labels(y).tolist() if is_name(label))

    def _recall(self, rows: Any) -> Any:
        """Return the features that rows were learned with."""
        reference = self._encoding()
        return rows if reference is None else reference.recall(as_list(rows), self.cache)

    def _features(self, X: Any) -> AnyArray:
        """Return the validated features of rows to be predicted."""
        return self._check_features(X if self._encoding() is None else self.encode(X), first=False)

    def _encoding(self) -> EncoderReference | None:
        """Return the reference to the encoder; None if rows are features."""
        encoder = self._default_encoder if self.encoder is None else self.encoder
        if self._reference is None and encoder is not None:
            reference = EncoderReference.of(encoder)
            reference.require_modality(self._required_modality)
            self._reference = reference
        return self._reference

    def _uses_names(self) -> bool:
        """Return whether the names of learned classes are used beside their rows."""
        if self._use_names is None:
            reference = self._encoding()
            semantic = reference is not None and reference.encoder.semantic
            self._use_names = semantic if self.class_names is None else bool(self.class_names)
            if self._use_names and reference is None:
                raise ValueError(
                    "class_names=True needs an encoder that embeds the names; rows of features "
                    "have none (pass class_embeddings instead)"
                )
        return self._use_names

    def _embed(self, labels: Iterable[Any]) -> Names:
        encoder = self.encoder_
        return {} if encoder is None else embed_names(encoder, labels, self._known_names())

    def _known_names(self) -> Names:
        """Return embeddings of labels that need not be computed again."""
        return {}


def as_list(rows: Any) -> Sequence[Any]:
    """Return raw rows as a list; of a table or array with one column, the entries."""
    shape: tuple[int, ...] = getattr(rows, "shape", (0,))
    if isinstance(rows, Mapping) or (hasattr(rows, "columns") and shape[1:] != (1,)):
        raise TypeError(
            f"rows must be a list, Series or array of raw rows, got a {type(rows).__name__}; pass "
            "one column of it"
        )
    if len(shape) == 2 and shape[1] == 1:
        return np.asarray(rows, dtype=object)[:, 0].tolist()
    if isinstance(rows, np.ndarray) and rows.ndim == 1:
        return rows.tolist()
    return rows if isinstance(rows, str | bytes) else list(rows)
