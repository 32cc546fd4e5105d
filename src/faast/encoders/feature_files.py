"""One file of kept features: digests of rows and their features, never changed once written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from faast.encoders.base import Features
from faast.encoders.content import DIGEST_BYTES
from faast.persistence import write_whole

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
