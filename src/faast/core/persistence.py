"""The file format: one safetensors file with a JSON header and a content hash.

Nothing is ever unpickled. A file is checked as a whole before an object is built from it, and a new
file is written under a temporary name, synced and read back before it replaces an old one.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from faast._version import __version__
from faast.core.locking import LOCK_SUFFIX, is_at
from faast.core.state import State, Storable

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: leftovers of killed writers stay
    fcntl = None  # type: ignore[assignment]

FORMAT_VERSION = 2
METADATA_KEY = "faast"
TEMPORARY_SUFFIX = ".faast-tmp"
TEMPORARY_NAME_BYTES = len(f"..{'0' * 12}{TEMPORARY_SUFFIX}")
"""Bytes by which the name of a temporary file is longer than that of its file."""

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


def require_place(path: Path) -> None:
    """Check that a file can be created at `path`, or that the file there can be replaced.

    Raises
    ------
    OSError
        If the folder is missing or not writable, or `path` is something other than a file.
    """
    path = path.resolve()
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} in")
    if path.exists() and not path.is_file():
        raise FileExistsError(f"{path} is not a file and cannot be replaced by one; choose another")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise PermissionError(f"no permission to write {path}")
    longest = _name_limit(path.parent) - TEMPORARY_NAME_BYTES
    if len(os.fsencode(path.name)) > longest:
        raise OSError(f"the name {path.name} is too long; its folder takes {longest} bytes")


def write_whole(path: Path, content: bytes, check: Callable[[Path], Any] | None = None) -> None:
    """Write a file atomically: at any moment `path` holds the old content or all of the new.

    Links are followed; mode, owner and attributes of a file that is replaced are kept. Temporary
    files that killed writers of the same file left behind are removed.

    Parameters
    ----------
    path : Path
    content : bytes
    check : callable, optional
        Reads the temporary file before it replaces the old one; an exception keeps the old one.

    Raises
    ------
    OSError
        If `require_place` refuses the path, or the disk is full.
    """
    require_place(path)
    path = path.resolve()
    remove_leftovers(path)
    with _name_place(path), temporary_beside(path) as (temporary, handle):
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(temporary)
        if path.exists():
            _copy_attributes(path, temporary)
        temporary.replace(path)
    sync_folder(path.parent)


def remove_leftovers(path: Path) -> None:
    """Remove temporary files and locks of `path` that no running process holds locked."""
    if fcntl is None:
        return
    name = _escaped(path.name)
    for leftover in (
        *path.parent.glob(f".{name}.*{TEMPORARY_SUFFIX}"),
        *path.parent.glob(f".{name}{LOCK_SUFFIX}"),
    ):
        with suppress(OSError):
            handle = os.open(leftover, os.O_RDWR)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_at(handle, leftover):
                    leftover.unlink()
            finally:
                os.close(handle)


@contextmanager
def temporary_beside(path: Path) -> Iterator[tuple[Path, int]]:
    """Create a locked temporary file in the folder of `path`; remove it unless it was renamed.

    It never takes the name of a file that is there. Yields its path and its open handle.
    """
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")
        # created by the kernel with the permissions that any new file gets
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX)
                if not temporary.exists():  # another writer took it for a leftover before the lock
                    continue
            yield temporary, handle
            return
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)


@contextmanager
def _name_place(path: Path) -> Iterator[None]:
    """Name the file in errors of writing it, which the system reports without a name."""
    try:
        yield
    except OSError as error:
        name = error.filename
        if error.errno is None or not (name is None or str(name).endswith(TEMPORARY_SUFFIX)):
            raise
        kept = "; the old file is unchanged" if path.exists() else ""
        reason = f"{os.strerror(error.errno)} while writing{kept}"
        raise type(error)(error.errno, reason, str(path)) from error


def _copy_attributes(old: Path, new: Path) -> None:
    """Give a new file the mode, extended attributes and, where allowed, the owner of the old."""
    found = old.stat()
    with suppress(OSError):
        shutil.copystat(old, new)
    with suppress(OSError, AttributeError):
        os.chown(new, found.st_uid, found.st_gid)
    new.chmod(stat.S_IMODE(found.st_mode))
    os.utime(new)


def _name_limit(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # pragma: no cover - Windows
        return 255


def sync_folder(folder: Path) -> None:
    """Sync a folder so that a rename in it is durable, on systems that can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _plain(value: Any) -> Any:
    """Return a numpy scalar, which a parameter may be, as a Python number."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(
        f"a file cannot hold {value!r} of type {type(value).__name__}; it holds texts, numbers, "
        "truth values, None, and lists and mappings of these"
    )


def _escaped(name: str) -> str:
    """Escape the characters that a glob pattern would interpret."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


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
