"""The file format: one safetensors file with a JSON header and a content hash.

Nothing is ever unpickled. A file is checked as a whole before an object is built from it, and a new
file is written under a temporary name, synced and read back before it replaces an old one.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from faast._version import __version__
from faast.core.atomic_files import require_place, write_whole
from faast.core.state import State, Storable

FORMAT_VERSION = 2
METADATA_KEY = "faast"

KINDS = {
    "classifier": "faast.estimators.classifier:FaastClassifier",
    "text-classifier": "faast.estimators.encoded:TextClassifier",
    "image-classifier": "faast.estimators.encoded:ImageClassifier",
    "natural-gradient-classifier": "faast.estimators.natural.classifier:NaturalGradientClassifier",
    "regressor": "faast.estimators.regressor:FaastRegressor",
    "text-regressor": "faast.estimators.encoded:TextRegressor",
    "image-regressor": "faast.estimators.encoded:ImageRegressor",
    "memory": "faast.estimators.memory:AssociativeMemory",
    "partial": "faast.distributed.partial_state:PartialState",
    "language-memory": "faast.lm.checkpoint:MemoryFile",
}
"""Every kind of file and the class that reads it, imported when a file asks for it."""


class ModelFileError(ValueError):
    """Raised for a model file that cannot be trusted or read; nothing is loaded from it."""


def save(thing: Storable, path: str | os.PathLike[str]) -> None:
    """Write an object to exactly `path`; an old file is replaced once the new one was read back.

    Parameters
    ----------
    thing : Storable
        An object of one of the classes in `KINDS`.
    path : str or path-like

    Raises
    ------
    ValueError
        If the object holds something that a file cannot hold, such as a user-defined solver.
    OSError
        If the path cannot be written.
    """
    path = Path(path)
    require_place(path)
    state = thing.to_state()
    tensors = {name: np.asarray(tensor, order="C") for name, tensor in state.tensors.items()}
    metadata = {
        "format": FORMAT_VERSION,
        "library": __version__,
        "kind": kind_of(thing),
        "state": state.metadata,
    }
    metadata = as_json(metadata)
    metadata["hash"] = content_hash(tensors, metadata)
    content = safetensors.numpy.save(tensors, {METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    write_whole(path, content, check=partial(_read_back, path))


def load(path: str | os.PathLike[str]) -> Any:
    """Load any file that this library has saved, ready to go on learning.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    object
        Of the class that was saved: a classifier, a regressor, an `AssociativeMemory`, or the
        memories of a language model.

    Raises
    ------
    ModelFileError
        If the file is truncated, changed after saving, inconsistent, of an unknown version, or was
        not written by this library.
    ImportError
        If the kind of file needs an extra that is not installed.
    FileNotFoundError
        If there is no such file.
    """
    path = Path(path)
    tensors, metadata = _read(path)
    version = metadata.get("format")
    if version != FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format version {version!r}, this library reads {FORMAT_VERSION}; "
            "load it with the library version that wrote it "
            f"({metadata.get('library', 'unknown')}), or learn its rows anew"
        )
    if metadata.get("hash") != content_hash(tensors, metadata):
        raise ModelFileError(
            f"{path} does not match its content hash: it was damaged or changed after saving"
        )
    kind, state = metadata.get("kind"), metadata.get("state")
    if not isinstance(kind, str) or kind not in KINDS or not isinstance(state, dict):
        raise ModelFileError(
            f"{path} holds {kind!r}; this library reads {', '.join(sorted(KINDS))}"
        )
    try:
        return _class_of(kind).from_state(State(tensors, state))
    except ModelFileError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise ModelFileError(f"{path} is incomplete or inconsistent: {error}") from error


def _read_back(path: Path, written: Path) -> None:
    """Load what was written beside `path`; name `path` if it cannot be loaded."""
    try:
        load(written)
    except ModelFileError as error:
        reason = str(error.__cause__ or error).replace(str(written), str(path))
        raise ModelFileError(
            f"{path} is not written, as it could not be loaded again: {reason}"
        ) from error


def as_json(content: Any) -> Any:
    """Return content as it will be read from JSON: numpy scalars become plain numbers.

    Raises
    ------
    TypeError
        If JSON cannot hold it.
    """
    return json.loads(json.dumps(content, default=_plain))


def read_kind(path: Path) -> str | None:
    """Return the kind of a file that this library wrote, from its header alone; None for others."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = json.loads((file.metadata() or {})[METADATA_KEY])
    except (safetensors.SafetensorError, OSError, TypeError, ValueError, KeyError, RecursionError):
        return None
    return str(metadata.get("kind")) if isinstance(metadata, dict) else None


def kind_of(thing: object) -> str:
    """Return the kind of file that an object is saved as.

    Raises
    ------
    ValueError
        If the object's class is not one of `KINDS`; user-defined subclasses are not.
    """
    place = f"{type(thing).__module__}:{type(thing).__qualname__}"
    for kind, listed in KINDS.items():
        if listed == place:
            return kind
    raise ValueError(
        f"a file can only hold the library's own classes ({', '.join(sorted(KINDS))}), got "
        f"{type(thing).__name__}"
    )


def content_hash(tensors: dict[str, np.ndarray[Any, Any]], metadata: dict[str, Any]) -> str:
    """Return the SHA-256 of all tensors (name, dtype, shape, bytes) and metadata but the hash."""
    digest = hashlib.sha256()
    described = {key: value for key, value in metadata.items() if key != "hash"}
    digest.update(json.dumps(described, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        digest.update(np.asarray(tensor, order="C").data)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Return a numpy scalar, which a parameter may be, as a Python number."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(
        f"a file cannot hold {value!r} of type {type(value).__name__}; it holds texts, numbers, "
        "truth values, None, and lists and mappings of these"
    )


def _class_of(kind: str) -> type[Storable]:
    module, _, name = KINDS[kind].partition(":")
    found: type[Storable] = getattr(importlib.import_module(module), name)
    return found


def _read(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path}")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, TypeError) as error:
        raise ModelFileError(f"{path} is not a complete safetensors file: {error}") from error
    if text is None:
        raise ModelFileError(f"{path} was not written by this library (it has no faast metadata)")
    try:
        metadata = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} has unreadable metadata: {error}") from error
    if not isinstance(metadata, dict):
        raise ModelFileError(f"{path} has metadata that is not a JSON object")
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not np.all(np.isfinite(tensor)):
            raise ModelFileError(f"{path} holds NaN or inf in {name}")
    return tensors, metadata
