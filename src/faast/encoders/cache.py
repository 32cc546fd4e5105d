"""A cache on disk of the features of rows, so that rows are forgotten with the bits they had."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from faast.core.atomic_files import write_whole
from faast.encoders.base import Encoder, Features, RowsNotLearnedError
from faast.encoders.digests import ROW_DIGEST_BYTES, row_digest

SUFFIX = ".features.safetensors"
FORMAT_VERSION = 1
_METADATA_KEY = "faast_features"


class FeatureCacheError(ValueError):
    """A file of the feature cache is damaged or foreign; nothing was read from it."""


class CachedEncoder(Encoder):
    """An encoder that stores the features of every row it encodes.

    A row gets the features that it got the first time. Most encoders of checkpoints compute other
    last bits when a row is encoded with other rows, but a row is forgotten exactly only with the
    very bits it was learned with. So learn through the cache, and forget with the features that
    `recall` returns.

    Parameters
    ----------
    encoder : Encoder
    folder : str or path-like
        Folder of the cache; it is created if it is missing. Each encoder has its own sub-folder,
        named by its fingerprint. Files are written atomically and never changed, so several
        processes can use one folder. If two of them encode the same row at the same time, the
        features in the older file count.

    Attributes
    ----------
    encoder : Encoder
        The encoder of rows that are not in the cache.
    folder : pathlib.Path
        The sub-folder of this encoder.

    Raises
    ------
    FeatureCacheError
        If a file in the sub-folder is damaged or foreign.
    """

    def __init__(self, encoder: Encoder, folder: str | os.PathLike[str]) -> None:
        self.encoder = encoder
        self.name, self.modality = encoder.name, encoder.modality
        self.reproducible, self.semantic = encoder.reproducible, encoder.semantic
        self.folder = Path(folder) / encoder.fingerprint
        self.folder.mkdir(parents=True, exist_ok=True)
        self._files: list[Path] = []
        self._locations: dict[bytes, tuple[int, int]] = {}  # digest: (index of the file, its row)
        self._loaded: tuple[int, Features] | None = None  # the file that was read last
        # Oldest file first: the first features of a row are the ones that count.
        found = self.folder.glob(f"*{SUFFIX}")
        for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)):
            stored = _FeatureFile.read(path, encoder.n_features)
            self._register(path, [bytes(digest) for digest in stored.digests])

    @property
    def n_features(self) -> int:
        """Number of columns of the features."""
        return self.encoder.n_features

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the wrapped encoder."""
        return self.encoder.fingerprint

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the wrapped encoder: model files do not record the cache."""
        return self.encoder.settings

    def __len__(self) -> int:
        """Return the number of rows in the cache."""
        return len(self._locations)

    def __repr__(self) -> str:
        return f"CachedEncoder({self.encoder!r}, {str(self.folder.parent)!r})"

    def __reduce__(self) -> tuple[type[CachedEncoder], tuple[Encoder, Path]]:
        return CachedEncoder, (self.encoder, self.folder.parent)

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """Return stored features; encode and store the rows that have none."""
        digests = self._digests(rows, numbers)
        new = {digest: i for i, digest in enumerate(digests) if digest not in self._locations}
        if new:
            chosen = list(new.values())
            features = self.encoder.encode_window(
                [rows[i] for i in chosen], [numbers[i] for i in chosen]
            )
            path = _FeatureFile.of(list(new), features).write(self.folder)
            self._register(path, list(new))
        return self._gather(digests)

    def encode_labels(self, labels: Sequence[Any]) -> Features | None:
        """Embed class names with the wrapped encoder; they are not stored."""
        return self.encoder.encode_labels(labels)

    def recall(self, rows: Iterable[Any]) -> Features:
        """Return the features with which rows were learned, bit for bit.

        Parameters
        ----------
        rows : iterable of rows
            As for `Encoder.encode`.

        Returns
        -------
        ndarray of shape (n_rows, n_features), float32

        Raises
        ------
        RowsNotLearnedError
            If a row is not in the cache.
        """
        if self.reproducible:
            return self.encoder.recall(rows)
        listed = list(rows)
        digests = self._digests(listed, range(len(listed)))
        for number, digest in enumerate(digests):
            if digest not in self._locations:
                raise RowsNotLearnedError(
                    f"row {number} is not among the {len(self)} rows stored in {self.folder}: it "
                    "was never learned through this cache, or its content has changed since"
                )
        return self._gather(digests)

    def _digests(self, rows: Sequence[Any], numbers: Sequence[int]) -> list[bytes]:
        return [
            row_digest(row, self.modality, number)
            for row, number in zip(rows, numbers, strict=True)
        ]

    def _register(self, path: Path, digests: list[bytes]) -> None:
        for row, digest in enumerate(digests):
            self._locations.setdefault(digest, (len(self._files), row))
        self._files.append(path)

    def _gather(self, digests: list[bytes]) -> Features:
        """Read the features of digests that are in the cache, file by file."""
        locations = np.array([self._locations[digest] for digest in digests]).reshape(-1, 2)
        gathered = np.empty((len(digests), self.n_features), np.float32)
        for file in np.unique(locations[:, 0]):
            wanted = locations[:, 0] == file
            gathered[wanted] = self._load(int(file))[locations[wanted, 1]]
        return gathered

    def _load(self, file: int) -> Features:
        if self._loaded is None or self._loaded[0] != file:
            self._loaded = (file, _FeatureFile.read(self._files[file], self.n_features).features)
        return self._loaded[1]


class _FeatureFile(NamedTuple):
    """Content of one file of the cache.

    Attributes
    ----------
    digests : ndarray of shape (n, 16), uint8
        See `row_digest`.
    features : ndarray of shape (n, n_features), float32
    """

    digests: NDArray[np.uint8]
    features: Features

    @classmethod
    def of(cls, digests: list[bytes], features: Features) -> Self:
        table = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, ROW_DIGEST_BYTES)
        return cls(table, np.ascontiguousarray(features))

    @classmethod
    def read(cls, path: Path, n_features: int) -> Self:
        """Read a file and verify its version, shapes and checksum.

        Raises
        ------
        FeatureCacheError
            If the file is truncated, foreign, of an unknown version, or was changed.
        """
        try:
            with safetensors.safe_open(path, framework="numpy") as file:
                header = json.loads((file.metadata() or {})[_METADATA_KEY])
                stored = cls(file.get_tensor("digests"), file.get_tensor("features"))
            intact = (
                header["format"] == FORMAT_VERSION
                and stored.digests.shape == (len(stored.features), ROW_DIGEST_BYTES)
                and stored.features.shape[1:] == (n_features,)
                and header["sha256"] == stored.checksum()
            )
        except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise FeatureCacheError(
                _advise(path, f"is not a readable feature file ({error})")
            ) from error
        if not intact:
            raise FeatureCacheError(_advise(path, "does not match its checksum, shape or version"))
        return stored

    def write(self, folder: Path) -> Path:
        """Write a new file atomically, named by its checksum, and return its path."""
        checksum = self.checksum()
        header = json.dumps({"format": FORMAT_VERSION, "sha256": checksum})
        path = folder / f"{checksum[:32]}{SUFFIX}"
        write_whole(path, safetensors.numpy.save(self._asdict(), {_METADATA_KEY: header}))
        return path

    def checksum(self) -> str:
        """Return the SHA-256 of shapes and contents, as hexadecimal digits."""
        digest = hashlib.sha256(repr((self.digests.shape, self.features.shape)).encode())
        digest.update(np.asarray(self.digests, order="C").data)
        digest.update(np.asarray(self.features, order="C").data)
        return digest.hexdigest()


def _advise(path: Path, problem: str) -> str:
    return (
        f"{path} {problem}; delete it to have its rows encoded again (rows learned from it can "
        "then no longer be forgotten exactly)"
    )
