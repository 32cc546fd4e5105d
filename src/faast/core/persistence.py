"""What objects hand to a file and take from it: arrays and plain JSON values.

One file format: safetensors with one JSON string of metadata and a content hash.

Nothing is ever unpickled. A file is checked whole before anything is built from it, and written
whole under a temporary name before it takes its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np
import safetensors
import safetensors.numpy

from faast._utils.arrays import AnyArray


class State(NamedTuple):
    """Tensors and metadata of an object.

    Attributes
    ----------
    tensors : dict of str to ndarray
    metadata : dict of str to JSON value
    """

    tensors: dict[str, AnyArray]
    metadata: dict[str, Any]

    @classmethod
    def joined(cls, parts: dict[str, State], **metadata: Any) -> State:
        """Nest the states of parts under their names, beside metadata of the whole."""
        tensors = {
            f"{part}.{name}": tensor
            for part, state in parts.items()
            for name, tensor in state.tensors.items()
        }
        return cls(tensors, metadata | {part: state.metadata for part, state in parts.items()})

    def part(self, name: str) -> State:
        """Return the state of a part.

        Raises
        ------
        KeyError
            There is no such part.
        """
        prefix = f"{name}."
        tensors = {
            tensor_name.removeprefix(prefix): tensor
            for tensor_name, tensor in self.tensors.items()
            if tensor_name.startswith(prefix)
        }
        return State(tensors, self.metadata[name])


FORMAT_VERSION = 1
METADATA_KEY = "faast"


class ModelFileError(ValueError):
    """A model file that cannot be trusted or understood; nothing was loaded."""


class Persistent(Protocol):
    """An object that can be saved."""

    def to_state(self) -> State:
        """Return what a file keeps."""

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore what `to_state` returned."""


_KINDS: dict[str, type[Persistent]] = {}
P = TypeVar("P", bound=type[Persistent])


def persistent(kind: str) -> Callable[[P], P]:
    """Register a class under the name that its files carry."""

    def register(cls: P) -> P:
        _KINDS[kind] = cls
        return cls

    return register


def save(thing: Persistent, path: str | os.PathLike[str], library_version: str) -> None:
    """Write an object to exactly `path`, replacing what was there only when all is written.

    Raises
    ------
    ValueError
        The object holds something that a file cannot keep (such as a solver of your own).
    OSError
        The path cannot be written.
    """
    kind = next(name for name, cls in _KINDS.items() if type(thing) is cls)
    state = thing.to_state()
    tensors = {name: np.asarray(tensor, order="C") for name, tensor in state.tensors.items()}
    metadata = {
        "format": FORMAT_VERSION,
        "library": library_version,
        "kind": kind,
        "state": state.metadata,
    }
    metadata["hash"] = content_hash(tensors, metadata)
    content = safetensors.numpy.save(tensors, {METADATA_KEY: json.dumps(metadata, sort_keys=True)})
    write_whole(Path(path), content)


def load(path: str | os.PathLike[str]) -> Any:
    """Load a saved memory, classifier or regressor, ready to go on learning.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    AssociativeMemory, FaastClassifier or FaastRegressor

    Raises
    ------
    ModelFileError
        Truncated, foreign, tampered with, or of an unknown version.
    FileNotFoundError
        There is no such file.
    """
    path = Path(path)
    tensors, metadata = _read(path)
    version = metadata.get("format")
    if version != FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format version {version!r}, this library reads {FORMAT_VERSION}; "
            "load it with the library version that wrote it "
            f"({metadata.get('library', 'unknown')})"
        )
    if metadata.get("hash") != content_hash(tensors, metadata):
        raise ModelFileError(
            f"{path} does not match its content hash: it was damaged or changed after saving"
        )
    cls = _KINDS.get(str(metadata.get("kind")))
    if cls is None:
        raise ModelFileError(f"{path} holds a {metadata.get('kind')!r}, unknown to this library")
    try:
        return cls.from_state(State(tensors, metadata["state"]))
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"{path} is incomplete or inconsistent: {error!r}") from error


def content_hash(tensors: dict[str, np.ndarray[Any, Any]], metadata: dict[str, Any]) -> str:
    """SHA-256 of all tensors (name, type, shape, bytes) and of all metadata but the hash itself."""
    digest = hashlib.sha256()
    described = {key: value for key, value in metadata.items() if key != "hash"}
    digest.update(json.dumps(described, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        digest.update(np.asarray(tensor, order="C").data)
    return digest.hexdigest()


def require_place(path: Path) -> None:
    """Check that a file can be written at `path`, or over the file that is there.

    Raises
    ------
    OSError
        Its folder is missing, or something else than a file is there.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} in")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path} is no file and cannot be replaced by one; name another")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that at any moment `path` is the old one or the complete new one.

    Links are followed and permissions kept. Errors as for `require_place`.
    """
    require_place(path)
    path = path.resolve()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(_permissions(path))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _permissions(path: Path) -> int:
    """Return those of the file that is replaced, or those that a new one would get."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _read(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no model file {path}")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, TypeError) as error:
        raise ModelFileError(f"{path} is no complete safetensors file: {error}") from error
    if text is None:
        raise ModelFileError(f"{path} was not written by this library (it has no faast metadata)")
    try:
        metadata = json.loads(text)
    except ValueError as error:
        raise ModelFileError(f"{path} has unreadable metadata: {error}") from error
    if not isinstance(metadata, dict):
        raise ModelFileError(f"{path} has metadata that is no JSON object")
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not np.all(np.isfinite(tensor)):
            raise ModelFileError(f"{path} holds NaN or inf in {name}")
    return tensors, metadata
