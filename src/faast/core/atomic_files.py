"""Files written atomically: under a temporary name, synced, and renamed when they are whole.

Temporary files are locked by their writers, so that those of killed writers are known by having no
lock, and are removed by the next writer.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from faast.core.locking import LOCK_SUFFIX, is_at

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: leftovers of killed writers stay
    fcntl = None  # type: ignore[assignment]

TEMPORARY_SUFFIX = ".faast-tmp"
TEMPORARY_NAME_BYTES = len(f"..{'0' * 12}{TEMPORARY_SUFFIX}")
"""Bytes by which the name of a temporary file is longer than that of its file."""


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


def write_json(path: Path, fields: Mapping[str, Any]) -> None:
    """Write an object as indented JSON; see `write_whole`."""
    write_whole(path, (json.dumps(fields, indent=2) + "\n").encode())


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


def _escaped(name: str) -> str:
    """Escape the characters that a glob pattern would interpret."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
