"""Encoded rows, gathered until they are worth a merge.

What an encoder is: raw rows in, unit-norm float32 features out.

What a row is, as a digest: the key under which its features are kept.

Rows that are features already.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faast._utils.arrays import AnyArray
from faast._utils.progress import progress_bar
from faast.data.images import read_images
from faast.data.reader import WINDOW_ROWS, Modality

LEARN_ROWS = 8192
"""Encoded rows learned at a time: merging sums costs as much as that many rows."""

Batch = tuple[Sequence[Any], Sequence[Hashable] | None, Sequence[int]]
"""Rows, labels and numbers of the rows, as `faast.data` reads them."""


def chunks(
    batches: Iterable[Batch], encode: Callable[[Sequence[Any]], AnyArray]
) -> Iterator[tuple[AnyArray, list[Hashable]]]:
    """Encode batches one by one and yield about `LEARN_ROWS` rows of features with their labels.

    Parameters
    ----------
    batches : iterable of (rows, labels, numbers)
    encode : callable
        From the rows of a batch to features of shape (n, d).

    Yields
    ------
    features : ndarray of shape (n, d)
    labels : list of n labels
    """
    features: list[AnyArray] = []
    labels: list[Hashable] = []
    for rows, batch_labels, _ in batches:
        features.append(encode(rows))
        labels += batch_labels or []
        if len(labels) >= LEARN_ROWS:
            yield np.concatenate(features), labels
            features, labels = [], []
    if features:
        yield np.concatenate(features), labels


Features = NDArray[np.float32]


class Encoder(ABC):
    """A frozen map from raw rows to features; made by `load_encoder`.

    Attributes
    ----------
    name : str
        What `load_encoder` takes.
    modality : {"text", "image", "features"}
        What a row is.
    reproducible : bool
        The same row gives the same bits whatever batch it sits in, so rows can be forgotten without
        a cache of the features that were learned.
    semantic : bool
        The name of a class lies near its rows, so that names make a useful prior.
    """

    name: str
    modality: Modality
    reproducible: bool = False
    semantic: bool = False

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Columns of the features."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hexadecimal digest of all that decides the features (weights, tokens, settings)."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Plain JSON values with which ``load_encoder(**settings)`` gives this encoder again."""

    @abstractmethod
    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """Encode at most `WINDOW_ROWS` rows, shape (n, n_features), unit norm.

        Errors call row i ``numbers[i]``.
        """

    def encode(self, rows: Iterable[Any], *, progress: bool = False) -> Features:
        """Encode rows.

        Parameters
        ----------
        rows : iterable of rows
            Strings for a text encoder; paths, PIL images or uint8 arrays for an image encoder;
            one numeric array a row for features.
        progress : bool
            Show a bar on the terminal, if there is one, when it takes longer than a second.

        Returns
        -------
        ndarray of shape (n, n_features), float32
            Rows of norm 1.

        Raises
        ------
        TypeError
            A row is of another kind than the encoder's, such as a single string for `rows`.
        ValueError
            A row cannot be read (named by its number, from 0, or by its file).
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
        """Embed the names of classes, which makes a zero-shot prior.

        Parameters
        ----------
        labels : sequence
            Any kind; underscores are read as spaces.

        Returns
        -------
        ndarray of shape (n_classes, n_features), float32, or None
            Rows of norm 1; None where the encoder embeds no text.
        """
        return None

    def recall(self, rows: Iterable[Any]) -> Features:
        """Return the features that rows were learned with, bit for bit, to forget them.

        Raises
        ------
        RowsNotLearnedError
            This encoder's last bits move with the batch, and no cache holds what was learned.
        """
        if not self.reproducible:
            raise RowsNotLearnedError(
                f"{self.name} does not encode a row alike in every batch, so the learned features "
                "can only come from a cache: learn and forget through "
                "CachedEncoder(encoder, folder)"
            )
        return self.encode(rows)


class EncoderMismatchError(ValueError):
    """An encoder other than the one that a model was learned with."""


class RowsNotLearnedError(LookupError):
    """Rows whose learned features are not known."""


def unit_rows(rows: NDArray[Any], numbers: Sequence[int]) -> Features:
    """Scale rows to norm 1 in float64 and return them as float32.

    Raises
    ------
    ValueError
        A row is zero or not finite; row i is called ``numbers[i]``.
    """
    wide = np.asarray(rows, dtype=np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    wrong = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
    if wrong.size:
        fault = "is all zero" if norms[wrong[0]] == 0 else "holds NaN or inf"
        raise ValueError(f"row {numbers[wrong[0]]} {fault}, so it has no direction; leave it out")
    return np.asarray(wide / norms[:, None], np.float32)


def label_texts(labels: Iterable[Any], prompt: str) -> list[str]:
    """Write class names out as text: underscores become spaces, the prompt goes around them.

    Raises
    ------
    ValueError
        The prompt has no "{label}" in it.
    """
    if "{label}" not in prompt:
        raise ValueError(f'the prompt must contain "{{label}}", got {prompt!r}')
    return [prompt.replace("{label}", str(label).replace("_", " ")) for label in labels]


def digest_of(*parts: str | bytes) -> str:
    """SHA-256 of the parts, each with its length, as 32 hexadecimal characters."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:32]


DIGEST_BYTES = 16


def check_texts(rows: Sequence[Any], numbers: Sequence[int]) -> list[str]:
    """Return the rows as a list of strings.

    Raises
    ------
    TypeError
        A row is no string; row i is called ``numbers[i]``.
    """
    for row, number in zip(rows, numbers, strict=True):
        if not isinstance(row, str):
            raise TypeError(
                f"row {number} must be a string, got {type(row).__name__}: the encoder takes texts"
            )
    return list(rows)


def content_digest(row: Any, modality: Modality, number: int) -> bytes:
    """Digest one row: text by its characters, a file by its bytes, the rest by pixels or numbers.

    Parameters
    ----------
    row : str, path, bytes of a file, PIL image or array-like
    modality : {"text", "image", "features"}
        A string is a path for images.
    number : int
        What error messages call the row.

    Raises
    ------
    TypeError
        A text row that is no string.
    ValueError
        A image that cannot be read.
    """
    if modality == "text":
        (text,) = check_texts([row], [number])
        return _digest("text", text.encode("utf-8", "surrogatepass"))
    if modality == "image" and isinstance(row, str | os.PathLike):
        try:
            return _digest("file", Path(row).read_bytes())
        except (OSError, ValueError) as error:
            raise ValueError(f"row {number}: cannot read the image {row}: {error}") from error
    if isinstance(row, bytes):
        return _digest("file", row)
    if modality == "image":
        (row,) = read_images([row], [number])
    array = np.asarray(row, order="C")
    return _digest(f"array {array.dtype.str} {array.shape}", array.tobytes())


def _digest(kind: str, content: bytes) -> bytes:
    digest = hashlib.blake2b(content, digest_size=DIGEST_BYTES, person=b"faast row")
    digest.update(b"\0" + kind.encode())
    return digest.digest()


class PrecomputedEncoder(Encoder):
    """Scale given feature rows to unit norm.

    Parameters
    ----------
    n_features : int, optional
        Width of the rows; the first rows decide when it is not given.
    """

    modality: Modality = "features"
    reproducible = True
    name = "precomputed"

    def __init__(self, n_features: int | None = None) -> None:
        self._n_features = n_features

    @property
    def n_features(self) -> int:
        """Columns of the features.

        Raises
        ------
        ValueError
            Not given, and no rows seen yet.
        """
        if self._n_features is None:
            raise ValueError(
                "the width of precomputed features is unknown until the first rows; pass n_features"
            )
        return self._n_features

    @property
    def fingerprint(self) -> str:
        """The same for all precomputed features: where they came from is the caller's to know."""
        return digest_of("precomputed")

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return {"name": self.name, "n_features": self._n_features}

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`.

        Raises
        ------
        ValueError
            Rows of different widths, of another width than before, not numeric, zero or not finite.
        """
        try:
            table = np.asarray(rows, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"feature rows must be numbers, all of one width: {error}") from error
        if table.ndim != 2 or table.shape[1] != (self._n_features or table.shape[1]):
            width = "columns" if self._n_features is None else self._n_features
            raise ValueError(f"feature rows must have shape (n, {width}), got {table.shape}")
        self._n_features = table.shape[1]
        return unit_rows(table, numbers)
