"""Hugging Face datasets: objects, and folders that they were saved to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from faast._utils.imports import import_optional
from faast.data.reader import Choose, DataError, Fault, Record

BATCH_ROWS = 1024


class DatasetReader:
    """Rows of a `datasets.Dataset` or `IterableDataset`, numbered from 0 as they are indexed.

    Parameters
    ----------
    dataset : Dataset or IterableDataset
        With class labels as numbers (`ClassLabel`), the names of the classes are read.
    name : str
    """

    unit = "row"

    def __init__(self, dataset: Any, name: str = "dataset") -> None:
        self.dataset, self.name = dataset, name
        self.fraction: float | None = None

    def records(self, choose: Choose) -> Iterator[Record | Fault]:
        """See `Reader.records`."""
        if self.dataset.column_names is None:
            raise DataError(
                f"{self.name} does not say its columns; call dataset.resolve_features() first"
            )
        wanted = list(choose(self.dataset.column_names))
        dataset = self._undecoded(self.dataset.select_columns(wanted))
        named = {name: self._names(name) for name in wanted}
        total = len(dataset) if hasattr(dataset, "__len__") else None
        number = 0
        for batch in dataset.iter(batch_size=BATCH_ROWS):
            for values in zip(*(batch[name] for name in wanted), strict=True):
                fields = {
                    name: named[name](value) for name, value in zip(wanted, values, strict=True)
                }
                yield Record(number, fields)
                number += 1
            self.fraction = number / total if total else None

    def _undecoded(self, dataset: Any) -> Any:
        """Leave images as bytes, so that one that is damaged can be reported as one row."""
        library = import_optional("datasets", "data")
        for name, feature in (dataset.features or {}).items():
            if isinstance(feature, library.Image):
                dataset = dataset.cast_column(name, library.Image(decode=False))
        return dataset.with_format(None)

    def _names(self, column: str) -> Callable[[Any], Any]:
        feature = (self.dataset.features or {}).get(column)
        names = getattr(feature, "names", None)
        if names is None:
            return lambda value: value
        return lambda value: names[value] if value is not None and value >= 0 else None


def saved_dataset(folder: Path, split: str | None) -> DatasetReader:
    """Open a dataset that was written with ``save_to_disk``.

    Raises
    ------
    DataError
        Unreadable, or a dictionary of splits of which none or a missing one is named.
    """
    library = import_optional("datasets", "data")
    try:
        dataset = library.load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"cannot read {folder} as a saved dataset: {error}") from error
    return dataset_reader(dataset, split, str(folder))


def dataset_reader(dataset: Any, split: str | None, name: str) -> DatasetReader:
    """Read a dataset, or one split of a dictionary of them.

    Raises
    ------
    DataError
        A dictionary of splits of which none or a missing one is named, or a split of one dataset.
    """
    if not isinstance(dataset, dict):
        refuse_split(split, name)
        return DatasetReader(dataset, name)
    if split not in dataset:
        said = "name one with split (--split)" if split is None else f"not {split!r}"
        raise DataError(f"{name} has the splits {', '.join(dataset)}; {said}")
    return DatasetReader(dataset[split], f"{name}[{split}]")


def refuse_split(split: str | None, name: str) -> None:
    """Check that no split is named of what has none.

    Raises
    ------
    DataError
        One is.
    """
    if split is not None:
        raise DataError(f"{name} has no splits such as {split!r}; leave split (--split) out")
