"""Parquet files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from faast._utils.imports import import_optional
from faast.data.columns import check_names
from faast.data.huggingface import class_name
from faast.data.reader import WINDOW_ROWS, Choose, DataError, Reader, Record

MAX_CHUNK_BYTES = 1 << 28
"""Most bytes to which a chunk of a column may unpack if it was packed more than `MAX_RATIO`."""

MAX_RATIO = 100

_BLOCK_ROWS = WINDOW_ROWS // 16


class ParquetReader(Reader):
    """Read a Parquet file; rows are counted from 1.

    Class labels that `datasets` stored as numbers are read as the names of the classes, as
    `DatasetReader` reads them.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path
        self._indices: frozenset[str] = frozenset()

    def index_columns(self, names: Sequence[str]) -> frozenset[str]:
        """See `Reader.index_columns`; the file itself names the indices of a pandas table."""
        return super().index_columns(names) | self._indices

    def records(self, choose: Choose) -> Iterator[Record]:
        """See `Reader.records`.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        """
        arrow = import_optional("pyarrow", "data")
        parquet = import_optional("pyarrow.parquet", "data")
        try:
            with parquet.ParquetFile(self.path) as file:
                check_names(file.schema_arrow.names, self.name)
                metadata = file.schema_arrow.metadata or {}
                indices = _read_json(metadata.get(b"pandas"), "index_columns")
                # An index that is a range is described by an object instead of a name.
                self._indices = (
                    frozenset(name for name in indices if isinstance(name, str))
                    if isinstance(indices, list)
                    else frozenset()
                )
                wanted = list(choose(file.schema_arrow.names))
                self._check_size(file.metadata, set(wanted))
                total, number = file.metadata.num_rows, 0
                named = _class_names(metadata)
                names = {column: named[column] for column in wanted if column in named}
                for batch in file.iter_batches(_BLOCK_ROWS, columns=wanted):
                    for fields in batch.to_pylist():
                        number += 1
                        for column, classes in names.items():
                            fields[column] = class_name(classes, fields[column])
                        yield Record(number, fields)
                    self._fraction = number / total
        except (OSError, arrow.ArrowException) as error:
            cause = str(error).partition("\n")[0]
            raise DataError(f"cannot read {self.name} as Parquet: {cause}") from error

    def _check_size(self, metadata: Any, wanted: set[str]) -> None:
        """Check that no chunk of the wanted columns unpacks to far more than is there."""
        for group in range(metadata.num_row_groups):
            for place in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(place)
                name = chunk.path_in_schema.partition(".")[0]
                packed, size = chunk.total_compressed_size, chunk.total_uncompressed_size
                if name in wanted and size > max(MAX_CHUNK_BYTES, MAX_RATIO * packed):
                    raise DataError(
                        f"{self.name}: column {name!r} unpacks from {packed:,} bytes to {size:,}; "
                        "write it in smaller row groups"
                    )


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, Sequence[str]]:
    """Return the names of classes by column, from what `datasets` wrote into the file."""
    features = _read_json(metadata.get(b"huggingface"), "info", "features")
    found: dict[str, Sequence[str]] = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else None
        names = inner.get("names") if isinstance(inner, dict) else None
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            found[column] = names
    return found


def _read_json(content: bytes | None, *keys: str) -> Any:
    """Return a value of nested JSON objects; None if it is not there or cannot be read."""
    try:
        found = json.loads(content or b"null")
        for key in keys:
            found = found[key]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None
    return found
