"""Answers as columns, one value per row, and as tables that keep the columns of the input."""

from __future__ import annotations

import sys
import warnings
from abc import abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray
from faast._utils.validation import is_tensor, to_numpy
from faast.data.columns import ROW_COLUMNS
from faast.estimators.base import FaastEstimator
from faast.estimators.head import Head
from faast.estimators.linear_classifier import labels, probabilities

Answers = dict[str, list[Any]]
"""Columns of answers by name, with one value per row."""


@contextmanager
def rows_without_names() -> Iterator[None]:
    """Ignore the warning of scikit-learn that rows have no names: their places are known."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        yield


class TablesMixin(FaastEstimator):
    """Mixin of estimators that answers one row, columns, or a table."""

    @abstractmethod
    def predict(self, X: Any) -> Any:
        """Predict n rows."""

    @abstractmethod
    def predict_columns(self, X: Any) -> Answers:
        """Predict columns of answers for n rows."""

    def predict_one(self, row: Any) -> Any:
        """Predict one row: what `predict` returns for it, as a single answer.

        Parameters
        ----------
        row : array-like of shape (d,), a raw row, or a mapping of column names to values
            The entries of a Series are found by the names that were learned, if any were.

        Returns
        -------
        A label, or a list of labels; from a regressor a float, or an ndarray of shape (m,)

        Examples
        --------
        >>> from faast import TextClassifier
        >>> model = TextClassifier().fit(["lost my card", "top up failed"], ["card", "top_up"])
        >>> model.predict_one("where is my card?")
        'card'
        """
        self._require_fitted()
        with rows_without_names():
            answer = self.predict(self._one_row(row))[0]
        return answer.item() if isinstance(answer, np.generic) else answer

    def predict_table(self, table: Any, column: str | None = None) -> Any:
        """Predict the rows of a table, and return it with the columns of `predict_columns` added.

        Parameters
        ----------
        table : DataFrame of pandas or polars, or mapping of column names to sequences
            Columns that are not needed are kept, but not used.
        column : str, optional
            The column that holds the rows. By default one with a usual name ("text", "path",
            "features"), or the only column. Where each feature has a column, columns are found by
            the names that were learned.

        Returns
        -------
        A table of the same kind. An answer is called predicted_NAME where the table has its name.

        Raises
        ------
        TypeError
            If it is no table; lists and arrays of rows are for `predict_columns`.
        ValueError
            If columns are missing, or it is not clear which one holds the rows.
        """
        self._require_fitted()
        rows = self._rows_of(table, column)
        with rows_without_names():
            answers = self.predict_columns(rows)
        return _add_columns(table, distinct_names(answers, list(_names_of(table))))

    def _one_row(self, row: Any) -> Any:
        """Return a row as `predict` takes several, its columns found by their names if it has any.

        Raises
        ------
        ValueError
            If it is a table or array of rows, or columns are missing.
        """
        if isinstance(row, Mapping) and self.is_fitted:
            return self._rows_of({name: [value] for name, value in row.items()}, None)
        is_series = hasattr(row, "to_frame") and hasattr(row, "index")  # of pandas
        if is_series and hasattr(self, "feature_names_in_"):
            return self._rows_of(row.to_frame().T, None)
        if self.modality != "features":
            return [row]
        values = to_numpy(row) if is_tensor(row) else np.asanyarray(row)
        if values.ndim != 1:
            raise ValueError(
                f"expected one row of shape (d,), got a {type(row).__name__} of shape "
                f"{values.shape}"
            )
        return values[None]

    def _rows_of(self, table: Any, column: str | None) -> Any:
        """Return the rows of a table, as `predict` takes them."""
        names = _names_of(table)
        usual = [name for name in ROW_COLUMNS[self.modality] if name in names]
        if column is None and self.modality == "features" and not usual:
            return self._feature_columns(table, names)
        if column is None and len(names) == 1:
            column = next(iter(names))
        if column is None and usual:
            column = usual[0]
        if column is None or column not in names:
            problem = "say which one holds the rows" if column is None else f"not {column!r}"
            raise ValueError(
                f"the table has the columns {', '.join(names)}; {problem} with column="
            )
        return list(table[names[column]])

    def _feature_columns(self, table: Any, names: dict[str, Hashable]) -> Any:
        learned = getattr(self, "feature_names_in_", None)
        wanted = list(names) if learned is None else learned.tolist()
        missing = [name for name in wanted if name not in names]
        if missing:
            raise ValueError(
                f"the table has no column {missing[0]!r}, which the model has learned; its columns "
                f"are {', '.join(names)}"
            )
        if len(wanted) != self.n_features_in_:
            raise ValueError(
                f"the table has {len(names)} columns, the model learned {self.n_features_in_} "
                "features without names; pass a table of these columns alone, in their order"
            )
        columns = [names[name] for name in wanted]
        if isinstance(table, Mapping):
            return np.column_stack([np.asarray(table[column]) for column in columns])
        return table[columns]


def class_answers(head: Head, X: AnyArray) -> Answers:
    """Answer rows (n, d) with columns of a classifier: labels, how sure they are, and novelty."""
    scores = head.score(X)
    found, names = probabilities(head, scores), head.classes.tolist()
    if head.kind.several:
        marks = scores > 0
        answers: Answers = {
            "labels": [[names[place] for place in np.flatnonzero(row)] for row in marks],
            "probabilities": [row[mark].tolist() for row, mark in zip(found, marks, strict=True)],
        }
    else:
        rows, best = np.arange(len(scores)), scores.argmax(axis=1)
        answers = {
            "label": labels(head, scores).tolist(),
            "probability": found[rows, best].tolist(),
        }
        if len(names) > 1:
            others = scores.copy()
            others[rows, best] = -np.inf
            second = others.argmax(axis=1)
            answers["runner_up"] = [names[place] for place in second]
            answers["runner_up_probability"] = found[rows, second].tolist()
    if head.novelty is not None:
        answers["novelty"] = head.novelty.score(X, scores / head.temperature).tolist()
    return answers


def distinct_names(answers: Answers, taken: Sequence[str]) -> Answers:
    """Rename answers whose names are taken to predicted_NAME, as often as it needs."""
    named: Answers = {}
    for name, values in answers.items():
        while name in taken or name in named:
            name = f"predicted_{name}"
        named[name] = values
    return named


def _names_of(table: Any) -> dict[str, Hashable]:
    """Return the columns of a table by the names that are shown; pandas may number them."""
    if hasattr(table, "collect_schema") and not hasattr(table, "to_series"):
        raise TypeError("the table is lazy; call collect() first")
    names = table if isinstance(table, Mapping) else getattr(table, "columns", None)
    if names is None:
        raise TypeError(
            f"a table must be a DataFrame or a mapping of column names to values, got a "
            f"{type(table).__name__}; predict_columns takes lists and arrays of rows"
        )
    return {str(name): name for name in names}


def _add_columns(table: Any, answers: Answers) -> Any:
    if isinstance(table, Mapping):
        return {**{name: list(values) for name, values in table.items()}, **answers}
    if hasattr(table, "with_columns"):
        polars: Any = sys.modules["polars"]
        return table.with_columns(
            polars.Series(name, values, strict=False) for name, values in answers.items()
        )
    return table.assign(**answers)
