"""The interface of encoders: raw rows in, float32 features of norm 1 out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from faast._utils.progress import progress_bar
from faast.data.reader import WINDOW_ROWS

Features = NDArray[np.float32]


class EncoderMismatchError(ValueError):
    """The encoder differs from the one that a model was learned with."""


class RowsNotLearnedError(LookupError):
    """The features with which rows were learned are unknown."""


class Encoder(ABC):
    """A frozen map from raw rows to features, made by `load_encoder`.

    An encoder does not change once it is made, so a copy is the encoder itself: `copy.copy`,
    `copy.deepcopy` and `sklearn.base.clone` return the same object, and all estimators that use
    it share one set of weights.

    Attributes
    ----------
    name : str
        The name that `load_encoder` takes.
    modality : {"text", "image"}
        The kind of rows that the encoder takes.
    reproducible : bool
        Whether a row has the same bits of features in every batch. Rows learned with such an
        encoder can be forgotten exactly without a `CachedEncoder`.
    semantic : bool
        Whether `encode_labels` puts the name of a class near the rows of that class, so that
        class names are a useful prior.
    """

    name: str
    modality: Literal["text", "image"]
    reproducible: bool = False
    semantic: bool = False

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Number of columns of the features."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hexadecimal digest of everything that decides the features: weights, tokens, settings."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Arguments, as JSON values, with which `load_encoder` makes this encoder again."""

    @abstractmethod
    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """Encode the rows of one window, which `encode` cuts out of its rows.

        Parameters
        ----------
        rows : sequence of at most `WINDOW_ROWS` rows
        numbers : sequence of int
            The number by which error messages call each row.

        Returns
        -------
        ndarray of shape (len(rows), n_features), float32
            Rows of norm 1.

        Raises
        ------
        TypeError, ValueError
            See `encode`.
        """

    def encode(self, rows: Iterable[Any], *, progress: bool = False) -> Features:
        """Encode rows.

        Parameters
        ----------
        rows : iterable of rows
            Strings for a text encoder. Paths, PIL images, uint8 arrays or the bytes of image
            files for an image encoder.
        progress : bool
            Show a progress bar on the terminal, if there is one, when encoding takes longer than
            a second.

        Returns
        -------
        ndarray of shape (n_rows, n_features), float32
            Rows of norm 1.

        Raises
        ------
        TypeError
            If `rows` is a single string, or a row of a text encoder is not a string.
        ValueError
            If a row cannot be read. The message names the row by its number, counted from 0.
        """
        if isinstance(rows, str | bytes):
            raise TypeError("rows must be an iterable of rows, got one string; pass [row]")
        listed: Sequence[Any] = list(rows)
        encoded: list[Features] = []

        def fraction() -> float:
            return min(len(encoded) * WINDOW_ROWS / len(listed), 1.0)

        windows = range(0, len(listed), WINDOW_ROWS)
        for start in progress_bar(windows, fraction, "Encoding", enabled=progress):
            window = listed[start : start + WINDOW_ROWS]
            encoded.append(self.encode_window(window, range(start, start + len(window))))
        return np.concatenate(encoded) if encoded else np.empty((0, self.n_features), np.float32)

    def encode_labels(self, labels: Sequence[Any]) -> Features | None:
        """Embed the names of classes in the space of the features, as a zero-shot prior.

        Parameters
        ----------
        labels : sequence of n_classes labels
            Labels are converted to strings, and underscores to spaces.

        Returns
        -------
        ndarray of shape (n_classes, n_features), float32, or None
            Rows of norm 1. None if the encoder embeds no text.
        """
        return None

    def share_out(self, text: str, weights: NDArray[np.float64]) -> list[tuple[str, float]] | None:
        """Share a linear score of a text out among its words, exactly.

        Parameters
        ----------
        text : str
        weights : ndarray of shape (n_features,), float64
            The score is ``encode([text])[0] @ weights``.

        Returns
        -------
        list of (word, share), or None
            In the order of the text; the shares add up to the score. None if features are no sums
            over words.
        """
        return None

    def recall(self, rows: Iterable[Any]) -> Features:
        """Return the features with which rows were learned, bit for bit, to forget the rows.

        Parameters
        ----------
        rows : iterable of rows
            As for `encode`.

        Returns
        -------
        ndarray of shape (n_rows, n_features), float32

        Raises
        ------
        RowsNotLearnedError
            If the last bits of a row's features depend on its batch and no cache holds them.
        """
        if not self.reproducible:
            raise RowsNotLearnedError(
                f"the last bits of the features of {self.name} depend on the batch of a row, so "
                "the learned features can only come from a cache: learn and forget through "
                "CachedEncoder(encoder, folder)"
            )
        return self.encode(rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __sklearn_clone__(self) -> Self:
        return self


def check_texts(rows: Sequence[Any], numbers: Sequence[int]) -> list[str]:
    """Check that all rows are strings, and return them as a list.

    Parameters
    ----------
    rows : sequence
    numbers : sequence of int
        The number by which the error message calls each row.

    Raises
    ------
    TypeError
        If a row is not a string.
    """
    for row, number in zip(rows, numbers, strict=True):
        if not isinstance(row, str):
            raise TypeError(
                f"row {number} must be a string, got {type(row).__name__}: the encoder takes texts"
            )
    return list(rows)


def unit_rows(rows: NDArray[Any], numbers: Sequence[int]) -> Features:
    """Scale rows to norm 1, in float64, and return them as float32.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
    numbers : sequence of int
        The number by which the error message calls each row.

    Returns
    -------
    ndarray of shape (n, d), float32

    Raises
    ------
    ValueError
        If a row is all zero or not finite.
    """
    wide = np.asarray(rows, dtype=np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    wrong = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
    if wrong.size:
        problem = "are all zero" if norms[wrong[0]] == 0 else "contain NaN or inf"
        raise ValueError(
            f"the features of row {numbers[wrong[0]]} {problem}, so they cannot be scaled to "
            "norm 1; leave the row out"
        )
    return np.asarray(wide / norms[:, None], np.float32)


def label_texts(labels: Iterable[Any], prompt: str) -> list[str]:
    """Put each label into the prompt, with its underscores replaced by spaces.

    Parameters
    ----------
    labels : iterable
    prompt : str
        Text with "{label}" in it.

    Raises
    ------
    ValueError
        If the prompt has no "{label}".
    """
    if "{label}" not in prompt:
        raise ValueError(f'the prompt must contain "{{label}}", got {prompt!r}')
    return [prompt.replace("{label}", str(label).replace("_", " ")) for label in labels]
