"""Features kept on disk: encoded once, and read again exactly as they were learned.

One file of kept features: digests of rows and their features, never changed once written.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from faast.core.persistence import write_whole
from faast.encoders import cache as feature_files
from faast.encoders.base import DIGEST_BYTES, Encoder, Features, RowsNotLearnedError, content_digest


class CachedEncoder(Encoder):
    """An encoder that keeps the features of every row it has encoded.

    A row keeps the features of the first time it was encoded. A float encoder would give it other
    last bits in another batch, and memories forget exactly only what was learned exactly: learn
    through the cache, then forget with the features that `recall` returns.

    Parameters
    ----------
    encoder : Encoder
    folder : str or path-like
        Made if it is missing; each encoder has a sub-folder of its own, named by its fingerprint.
        Files are written whole and never changed, so several processes may write there at once;
        a row that two of them meet first at the same time keeps the features of only one.

    Raises
    ------
    FeatureCacheError
        A file in the sub-folder is damaged or foreign.
    """

    def __init__(self, encoder: Encoder, folder: str | os.PathLike[str]) -> None:
        self.encoder = encoder
        self.name, self.modality = encoder.name, encoder.modality
        self.reproducible, self.semantic = encoder.reproducible, encoder.semantic
        self.folder = Path(folder) / encoder.fingerprint
        self.folder.mkdir(parents=True, exist_ok=True)
        self._files: list[Path] = []
        self._places: dict[bytes, tuple[int, int]] = {}
        self._open: tuple[int, Features] | None = None
        # Oldest first: where two processes encoded one row, the first features stay.
        found = self.folder.glob(f"*{feature_files.SUFFIX}")
        for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name)):
            kept = feature_files.read(path, encoder.n_features)
            self._register(path, [bytes(digest) for digest in kept.digests])

    @property
    def n_features(self) -> int:
        """Columns of the features."""
        return self.encoder.n_features

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the encoder within."""
        return self.encoder.fingerprint

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the encoder within: a cache is no part of what a model is."""
        return self.encoder.settings

    def __len__(self) -> int:
        """Rows whose features are kept."""
        return len(self._places)

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """Return kept features; encode and keep the rows that are new."""
        digests = self._digests(rows, numbers)
        new = {digest: i for i, digest in enumerate(digests) if digest not in self._places}
        if new:
            places = list(new.values())
            features = self.encoder.encode_window(
                [rows[i] for i in places], [numbers[i] for i in places]
            )
            self._register(feature_files.write(self.folder, list(new), features), list(new))
        return self._gather(digests)

    def encode_labels(self, labels: Sequence[Any]) -> Features | None:
        """Embed class names with the encoder within; they are not kept."""
        return self.encoder.encode_labels(labels)

    def recall(self, rows: Iterable[Any]) -> Features:
        """Return the features that rows were learned with, bit for bit.

        Raises
        ------
        RowsNotLearnedError
            A row is not in the cache.
        """
        if self.reproducible:
            return self.encoder.recall(rows)
        listed = list(rows)
        digests = self._digests(listed, range(len(listed)))
        for number, digest in enumerate(digests):
            if digest not in self._places:
                raise RowsNotLearnedError(
                    f"row {number} is not among the {len(self)} rows kept in {self.folder}: it was "
                    "never learned through this cache, or its content has changed since"
                )
        return self._gather(digests)

    def _digests(self, rows: Sequence[Any], numbers: Sequence[int]) -> list[bytes]:
        return [
            content_digest(row, self.modality, number)
            for row, number in zip(rows, numbers, strict=True)
        ]

    def _register(self, path: Path, digests: list[bytes]) -> None:
        for row, digest in enumerate(digests):
            self._places.setdefault(digest, (len(self._files), row))
        self._files.append(path)

    def _gather(self, digests: list[bytes]) -> Features:
        places = np.array([self._places[digest] for digest in digests]).reshape(-1, 2)
        gathered = np.empty((len(digests), self.n_features), np.float32)
        for file in np.unique(places[:, 0]):
            wanted = places[:, 0] == file
            gathered[wanted] = self._features(int(file))[places[wanted, 1]]
        return gathered

    def _features(self, file: int) -> Features:
        if self._open is None or self._open[0] != file:
            kept = feature_files.read(self._files[file], self.n_features)
            self._open = (file, kept.features)
        return self._open[1]


SUFFIX = ".features.safetensors"
FORMAT_VERSION = 1
_METADATA_KEY = "faast_features"


class FeatureCacheError(ValueError):
    """A cache file that cannot be trusted; nothing was read from it."""


class KeptFeatures(NamedTuple):
    """Content of one file.

    Attributes
    ----------
    digests : ndarray of shape (n, 16), uint8
    features : ndarray of shape (n, n_features), float32
    """

    digests: NDArray[np.uint8]
    features: Features


def write(folder: Path, digests: list[bytes], features: Features) -> Path:
    """Write a new file, whole or not at all, named by its content."""
    table = np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), DIGEST_BYTES)
    kept = KeptFeatures(table, np.ascontiguousarray(features))
    checksum = _checksum(kept)
    note = json.dumps({"format": FORMAT_VERSION, "sha256": checksum})
    path = folder / f"{checksum[:32]}{SUFFIX}"
    write_whole(path, safetensors.numpy.save(kept._asdict(), {_METADATA_KEY: note}))
    return path


def read(path: Path, n_features: int) -> KeptFeatures:
    """Read a file and check it whole.

    Raises
    ------
    FeatureCacheError
        Truncated, foreign, of an unknown version, or changed after it was written.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            note = json.loads((file.metadata() or {})[_METADATA_KEY])
            kept = KeptFeatures(file.get_tensor("digests"), file.get_tensor("features"))
        sound = (
            note["format"] == FORMAT_VERSION
            and kept.digests.shape == (len(kept.features), DIGEST_BYTES)
            and kept.features.shape[1:] == (n_features,)
            and note["sha256"] == _checksum(kept)
        )
    except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise FeatureCacheError(_advice(path, f"is no feature file ({error})")) from error
    if not sound:
        raise FeatureCacheError(_advice(path, "does not match its checksum, shape or version"))
    return kept


def _checksum(kept: KeptFeatures) -> str:
    digest = hashlib.sha256(repr((kept.digests.shape, kept.features.shape)).encode())
    digest.update(np.asarray(kept.digests, order="C").data)
    digest.update(np.asarray(kept.features, order="C").data)
    return digest.hexdigest()


def _advice(path: Path, fault: str) -> str:
    return (
        f"{path} {fault}; delete it to have its rows encoded again (rows learned from it can then "
        "no longer be forgotten exactly)"
    )
