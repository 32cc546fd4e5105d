"""Columns of tables of numbers, matched by name to those that a model has learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faast.data import Batch, RowSource
from faast.data.reader import DataError
from faast.estimators.base import FaastEstimator

LISTED_COLUMNS = 8
"""Columns that an error message names."""


class ColumnOrder:
    """The columns of a model, or of the first table that is read, in their order.

    Parameters
    ----------
    model : FaastEstimator
        If it has learned nothing, the first table decides.
    """

    def __init__(self, model: FaastEstimator) -> None:
        self._is_known = model.is_fitted
        self.names: list[str] | None = feature_names(model)

    def arrange(self, batch: Batch, source: RowSource) -> Batch:
        """Return a batch of a source with its columns in this order.

        Raises
        ------
        DataError
            A column is missing or is one too many, or only one side has names.
        """
        if source.modality != "features":
            return batch
        if not self._is_known:
            self.names, self._is_known = source.feature_names, True
        order = _match(self.names, source.feature_names, source.name)
        if order is None or order == list(range(len(order))):
            return batch
        return batch._replace(rows=[np.asarray(row)[order] for row in batch.rows])

    def name_features(self, model: FaastEstimator) -> None:
        """Make the names part of a model that has learned rows in this order."""
        if self.names is not None:
            model.feature_names_in_ = np.asarray(self.names, dtype=object)


def feature_names(model: FaastEstimator) -> list[str] | None:
    """Return the names of the columns that a model has learned; None if they have none."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else names.tolist()


def require_alike(first: FaastEstimator, second: FaastEstimator) -> None:
    """Raise ValueError where one of two models has names of columns and the other has none."""
    named = [feature_names(model) for model in (first, second)]
    if first.modality == second.modality == "features" and named.count(None) == 1:
        names = next(names for names in named if names is not None)
        raise ValueError(
            f"one model learned the columns {_list(names)}, the other learned columns without "
            "names; learn both from tables with a header, or both without"
        )


def _match(learned: list[str] | None, found: Sequence[str] | None, source: str) -> list[int] | None:
    """Return the place in `found` of each learned column; None where columns have no names."""
    if learned is None and found is None:
        return None
    if learned is None:
        assert found is not None
        raise DataError(
            f"{source} has the named columns {_list(found)}, but the model learned features "
            "without names; learn it from a table with a header, or give an array of features"
        )
    if found is None:
        raise DataError(
            f"the features of {source} have no names, but the model learned the columns "
            f"{_list(learned)}; give a table with these columns"
        )
    places = {name: place for place, name in enumerate(found)}
    for missing in (name for name in learned if name not in places):
        raise DataError(
            f"{source} has no column {missing!r}, which the model has learned; its columns of "
            f"features are {_list(found)}"
        )
    known = set(learned)
    for extra in (name for name in found if name not in known):
        raise DataError(
            f"{source} has a column {extra!r}, which the model has not learned; leave it out, or "
            "name it with --label-column or --target if it holds the labels or numbers"
        )
    return [places[name] for name in learned]


def _list(names: Sequence[str]) -> str:
    more = ", …" if len(names) > LISTED_COLUMNS else ""
    return ", ".join(map(repr, names[:LISTED_COLUMNS])) + more
