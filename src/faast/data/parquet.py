"""Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faast._utils.imports import import_optional
from faast.data.columns import check_names
from faast.data.reader import WINDOW_ROWS, Choose, DataError, Reader, Record


class ParquetReader(Reader):
    """Read a Parquet file; rows are counted from 1.

    Parameters
    ----------
    path : pathlib.Path
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path

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
                wanted = list(choose(file.schema_arrow.names))
                total, number = file.metadata.num_rows, 0
                for batch in file.iter_batches(WINDOW_ROWS, columns=wanted):
                    for fields in batch.to_pylist():
                        number += 1
                        yield Record(number, fields)
                    self._fraction = number / total
        except (OSError, arrow.ArrowException) as error:
            cause = str(error).partition("\n")[0]
            raise DataError(f"cannot read {self.name} as Parquet: {cause}") from error
