"""What an encoder is: raw rows in, unit-norm float32 features out."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faast.progress import follow

Features = NDArray[np.float32]
Modality = Literal["text", "image", "features"]

WINDOW_ROWS = 1024
"""Rows encoded together, counted from the first row of a call.

A float encoder's last bits depend on the rows that share a batch. Windows are cut by row order
alone, so the same rows in the same order always share the same batches; readers hand over batches
of this many rows, so a streamed file and a list of its rows are encoded alike.
"""


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
            Strings for a text encoder; paths, PIL pictures or uint8 arrays for an image encoder;
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
        for start in follow(windows, fraction, "Encoding", enabled=progress):
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
