"""Datasets of Hugging Face `datasets`: objects, and folders to which they were saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from faast._utils.imports import import_optional
from faast.data.reader import WINDOW_ROWS, Choose, DataError, Reader, Record


class DatasetReader(Reader):
    """Read a `datasets.Dataset` or `IterableDataset`; rows are counted from 0, as in the dataset.

    Class labels that are stored as numbers (`datasets.ClassLabel`) are read as the names of the
    classes.

    Parameters
    ----------
    dataset : datasets.Dataset or datasets.IterableDataset
    name : str
        What error messages call the dataset.
    """

    def __init__(self, dataset: Any, name: str = "dataset") -> None:
        super().__init__(name)
        self.dataset = dataset

    def records(self, choose: Choose) -> Iterator[Record]:
        """See `Reader.records`."""
        if self.dataset.column_names is None:
            raise DataError(
                f"{self.name} does not know its columns; call dataset.resolve_features() first"
            )
        wanted = list(choose(self.dataset.column_names))
        dataset = self._without_decoding(self.dataset.select_columns(wanted))
        convert = {name: self._converter(name) for name in wanted}
        total = len(dataset) if hasattr(dataset, "__len__") else None
        number = 0
        for batch in dataset.iter(batch_size=WINDOW_ROWS):
            for values in zip(*(batch[name] for name in wanted), strict=True):
                fields = {
                    name: convert[name](value) for name, value in zip(wanted, values, strict=True)
                }
                yield Record(number, fields)
                number += 1
            self._fraction = number / total if total else None

    def _without_decoding(self, dataset: Any) -> Any:
        """Leave images as bytes: a damaged one can then be reported as a single bad row."""
        library = import_optional("datasets", "data")
        for name, feature in (dataset.features or {}).items():
            if isinstance(feature, library.Image):
                dataset = dataset.cast_column(name, library.Image(decode=False))
        return dataset.with_format(None)

    def _converter(self, column: str) -> Callable[[Any], Any]:
        """Return what turns class numbers into names, and leaves all other values as they are."""
        feature = (self.dataset.features or {}).get(column)
        names = getattr(getattr(feature, "feature", feature), "names", None)
        if names is None:
            return lambda value: value
        return lambda value: class_name(names, value)


def class_name(names: Sequence[str], value: Any) -> Any:
    """Return the name of a class that is stored as its number, and None for a missing one.

    A number without a name stays a number; of a list of numbers, the names are returned.
    """
    if isinstance(value, list):
        return [class_name(names, number) for number in value]
    if not isinstance(value, int):
        return value
    if value < 0:
        return None
    return names[value] if value < len(names) else value


def open_saved_dataset(folder: Path, split: str | None) -> DatasetReader:
    """Open a dataset that was written with ``save_to_disk``.

    Parameters
    ----------
    folder : pathlib.Path
    split : str or None
        See `open_dataset`.

    Raises
    ------
    DataError
        If the folder is unreadable, or for the reasons of `open_dataset`.
    """
    library = import_optional("datasets", "data")
    try:
        dataset = library.load_from_disk(str(folder))
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(f"cannot read {folder} as a saved dataset: {error}") from error
    return open_dataset(dataset, split, str(folder))


def open_dataset(dataset: Any, split: str | None, name: str) -> DatasetReader:
    """Open a dataset, or one split of a dictionary of datasets.

    Parameters
    ----------
    dataset : datasets.Dataset, IterableDataset, DatasetDict or IterableDatasetDict
    split : str or None
        Key of the dictionary; None for a single dataset.
    name : str
        What error messages call the dataset.

    Raises
    ------
    DataError
        If a dictionary has no such split, a split is given for a single dataset, or it is none.
    """
    if not isinstance(dataset, dict) and not hasattr(dataset, "select_columns"):
        raise DataError(
            f"rows cannot be read from a {type(dataset).__name__}; give a path, a data frame, a "
            "list of dictionaries or a dataset of Hugging Face"
        )
    if not isinstance(dataset, dict):
        refuse_split(split, name)
        return DatasetReader(dataset, name)
    if split not in dataset:
        problem = "name one with split (--split)" if split is None else f"not {split!r}"
        raise DataError(f"{name} has the splits {', '.join(dataset)}; {problem}")
    return DatasetReader(dataset[split], f"{name}[{split}]")


def refuse_split(split: str | None, name: str) -> None:
    """Check that no split is given for a source that has none.

    Raises
    ------
    DataError
        If one is given.
    """
    if split is not None:
        raise DataError(f"{name} has no splits such as {split!r}; leave split (--split) out")
