"""Tables of features in npz archives, read a block of rows at a time."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faast.data.reader import WINDOW_ROWS, Choose, DataError, Reader, Record

_SUFFIX = ".npy"

MAX_ROW_BYTES = 1 << 19
"""Most bytes of a row of an array: 65,536 numbers of 8 bytes."""

_BLOCK_ROWS = WINDOW_ROWS // 8


class NpzReader(Reader):
    """Read arrays of equal length, such as "features" and "labels", as columns.

    Rows are counted from 0, as in the arrays.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path

    def records(self, choose: Choose) -> Iterator[Record]:
        """See `Reader.records`."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                members = [name for name in archive.namelist() if name.endswith(_SUFFIX)]
                wanted = list(choose([name.removesuffix(_SUFFIX) for name in members]))
                with ExitStack() as stack:
                    arrays = {
                        name: self._open(
                            stack.enter_context(archive.open(name + _SUFFIX)),
                            name,
                            archive.getinfo(name + _SUFFIX).file_size,
                        )
                        for name in wanted
                    }
                    yield from self._rows(arrays)
        except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"cannot read {self.name} as an npz archive: {error}") from error

    def _open(self, file: IO[bytes], name: str, size: int) -> _StoredArray:
        """Read the header of an array, and check that its rows can be read in order."""
        try:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, by_columns, dtype = read_header(file)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
            raise DataError(f"{self.name}: {name!r} is not a stored array: {error}") from error
        if dtype.hasobject:
            raise DataError(
                f"{self.name}: {name!r} holds Python objects, which are not read because they can "
                "run code; save it as strings or numbers (astype(str))"
            )
        if by_columns and len(shape) > 1:
            raise DataError(
                f"{self.name}: {name!r} is stored by columns; save np.ascontiguousarray of it"
            )
        row_bytes = math.prod(shape[1:]) * dtype.itemsize
        if any(length < 0 for length in shape) or row_bytes == 0:
            raise DataError(f"{self.name}: {name!r} has rows without entries, of shape {shape}")
        if row_bytes > MAX_ROW_BYTES:
            raise DataError(
                f"{self.name}: {name!r} has rows of {row_bytes:,} bytes, more than "
                f"{MAX_ROW_BYTES:,}"
            )
        if shape and shape[0] * row_bytes != size - file.tell():
            raise DataError(
                f"{self.name}: {name!r} is shorter or longer than its header says, damaged"
            )
        return _StoredArray(file, shape, dtype)

    def _rows(self, arrays: dict[str, _StoredArray]) -> Iterator[Record]:
        lengths = {name: array.shape[0] if array.shape else 0 for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"{self.name}: the arrays differ in length: {lengths}")
        total = next(iter(lengths.values()))
        for start in range(0, total, _BLOCK_ROWS):
            size = min(_BLOCK_ROWS, total - start)
            blocks = {name: array.read(size) for name, array in arrays.items()}
            for row in range(size):
                yield Record(start + row, {name: block[row] for name, block in blocks.items()})
            self._fraction = (start + size) / total


class _StoredArray(NamedTuple):
    """An array in a file; each call of `read` returns its next rows."""

    file: IO[bytes]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, n_rows: int) -> NDArray[Any]:
        shape = (n_rows, *self.shape[1:])
        n_bytes = int(np.prod(shape)) * self.dtype.itemsize
        content = self.file.read(n_bytes)
        if len(content) < n_bytes:
            raise EOFError("an array is shorter than its header says")
        return np.frombuffer(content, self.dtype).reshape(shape)
