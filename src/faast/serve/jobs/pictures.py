"""Zip archives of pictures with one folder per class; nothing is unpacked to the disk."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from faast.data import DataError
from faast.data.images import SUFFIXES

MAX_FILES = 65_535
"""Files that an archive may hold: as many as zip archives without extensions can."""

MAX_DIRECTORY = 16 * 2**20
"""Bytes of the table of contents of an archive, which is read into memory."""

MAX_GROWTH = 10
"""Bytes that pictures may have for each byte of their archive: their formats are compressed."""

_END = b"PK\x05\x06"
_END_ZIP64 = b"PK\x06\x07"
_END_BYTES = 22
_COMMENT_BYTES = 65_535


class Pictures:
    """The pictures of an archive, sorted by their names, each with the label of its folder.

    The outermost folder is the class; if all pictures lie in one that holds further folders, it is
    the next one. A picture in no folder has no label. Hidden files are left out.

    Parameters
    ----------
    path : Path
    max_bytes : int
        Bytes that one picture may have.

    Attributes
    ----------
    left_out : int
        Number of files that are no pictures.

    Raises
    ------
    DataError
        If it is no such archive; while iterating, if a picture cannot be unpacked.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        _require_small_directory(path)
        self._path, self._max_bytes = path, max_bytes
        try:
            with zipfile.ZipFile(path) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, ValueError, RuntimeError) as error:
            raise DataError(f"the file is no zip archive: {error}") from error
        if len(entries) > MAX_FILES:
            raise _too_many()
        shown = [(entry, _parts(entry.filename)) for entry in entries if not entry.is_dir()]
        shown = [(entry, parts) for entry, parts in shown if parts]
        found = [(e, parts) for e, parts in shown if parts[-1].lower().endswith(SUFFIXES)]
        self.left_out = len(shown) - len(found)
        depth = 0
        while (
            found
            and all(len(parts) > depth + 2 for _, parts in found)
            and (len({parts[depth] for _, parts in found}) == 1)
        ):
            depth += 1
        self._pictures = sorted(
            ((entry, parts[depth:]) for entry, parts in found), key=lambda item: item[1]
        )

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        left = self._max_bytes + MAX_GROWTH * self._path.stat().st_size
        with zipfile.ZipFile(self._path) as archive:
            for entry, parts in self._pictures:
                place = f"the picture {'/'.join(parts)!r}"
                label = parts[0] if len(parts) > 1 else None
                picture = self._unpack(archive, entry, place)
                left -= len(picture)
                if left < 0:
                    raise DataError(
                        f"up to {place}, the pictures have more than {MAX_GROWTH} times the bytes "
                        "of the archive; store them in it without compression"
                    )
                yield place, {"picture": picture, "label": label}

    def _unpack(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: str) -> bytes:
        """Return a file, of which no more is unpacked than a picture may have."""
        try:
            with archive.open(entry) as file:
                content = file.read(self._max_bytes + 1)
        except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError) as error:
            raise DataError(f"{place} cannot be unpacked: {error}") from error
        if len(content) > self._max_bytes:
            raise DataError(f"{place} has more than {self._max_bytes} bytes; make it smaller")
        return content


def _parts(name: str) -> tuple[str, ...]:
    """Return the folders and the name of a file; none if it is hidden."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    hidden = any(part.startswith(".") or part in ("__MACOSX", "/") for part in parts)
    return () if hidden else parts


def _require_small_directory(path: Path) -> None:
    """Raise a DataError if the table of contents of an archive is missing or too large."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _END_BYTES - _COMMENT_BYTES - 20))
        tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_BYTES:
        raise DataError("the file is no zip archive, or was cut off; upload it again")
    (size,) = struct.unpack_from("<L", tail, at + 12)
    if tail[max(0, at - 20) : at].startswith(_END_ZIP64) or size > MAX_DIRECTORY:
        raise _too_many()


def _too_many() -> DataError:
    return DataError(
        f"the archive is too large: it may hold {MAX_FILES} files; upload several archives"
    )
