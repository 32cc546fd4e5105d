"""Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faast._utils.imports import import_optional
from faast.data.columns import check_names
from faast.data.reader import Choose, DataError, Fault, Record

BATCH_ROWS = 1024


class ParquetReader:
    """Rows of a Parquet file, numbered from 1.

    Parameters
    ----------
    path : pathlib.Path
    """

    unit = "row"

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.fraction: float | None = None

    def records(self, choose: Choose) -> Iterator[Record | Fault]:
        """See `Reader.records`.

        Raises
        ------
        ImportError
            pyarrow is not installed.
        """
        arrow, parquet = (
            import_optional("pyarrow", "data"),
            import_optional("pyarrow.parquet", "data"),
        )
        try:
            with parquet.ParquetFile(self.path) as file:
                check_names(file.schema_arrow.names, self.name)
                wanted = list(choose(file.schema_arrow.names))
                total, number = file.metadata.num_rows, 0
                for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
                    for fields in batch.to_pylist():
                        number += 1
                        yield Record(number, fields)
                    self.fraction = number / total
        except (OSError, arrow.ArrowException) as error:
            cause = str(error).partition("\n")[0]
            raise DataError(f"cannot read {self.name} as Parquet: {cause}") from error
