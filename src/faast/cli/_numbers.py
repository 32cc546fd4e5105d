"""Numbers as commands use them: their columns, and how good the predictions of a regressor are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from faast import FaastRegressor
from faast._utils.arrays import FloatArray
from faast._utils.imports import import_optional
from faast.cli._model import FaastModel
from faast.cli._output import escape_controls


def split_names(given: Sequence[str] | None) -> list[str]:
    """Return the columns that the option --target names, several times or separated by commas."""
    return [name.strip() for part in given or [] for name in part.split(",") if name.strip()]


def target_columns(model: FaastModel, given: Sequence[str] | None, labelled: bool) -> list[str]:
    """Return the columns of the numbers that a model predicts; none for a classifier.

    Parameters
    ----------
    model : FaastClassifier or FaastRegressor
    given : sequence of str, optional
        What the user named; by default the columns that were learned.
    labelled : bool
        Whether the numbers are read, so that their columns must be known.

    Raises
    ------
    ValueError
        If columns are named for a classifier, are as many as the model has no targets, or are not
        known.
    """
    named = split_names(given)
    if not isinstance(model, FaastRegressor):
        if named:
            raise ValueError(
                "--target names columns of numbers, but the model predicts labels; name their "
                "column with --label-column"
            )
        return []
    if not model.is_fitted:
        return named
    columns = named or getattr(model, "target_names_", [])
    if len(columns) != model.n_targets_ and (columns or labelled):
        raise ValueError(
            f"the model predicts {model.n_targets_} number{'s' * (model.n_targets_ > 1)} per row, "
            f"but --target names {len(columns)} columns; name each one, in the order in which they "
            "were learned"
        )
    return columns


def target_labels(model: FaastRegressor) -> list[str]:
    """Return what reports call each target: its column, or its number."""
    numbered = [f"target_{place}" for place in range(1, model.n_targets_ + 1)]
    return getattr(model, "target_names_", numbered)


def describe_errors(regressor: FaastRegressor) -> dict[str, Any]:
    """Return the leave-one-out R² and mean absolute error as facts; nothing if not measured."""
    if not regressor.measures_errors:
        return {}
    found = {"leave_one_out_r2": regressor.loo_r2_, "leave_one_out_error": regressor.loo_error_}
    return {name: v if isinstance(v, float) else v.tolist() for name, v in found.items()}


def score_numbers(
    true: FloatArray, predicted: FloatArray, bounds: FloatArray | None
) -> dict[str, float]:
    """Measure the predictions of one target.

    Parameters
    ----------
    true, predicted : ndarray of shape (n,)
    bounds : ndarray of shape (n, 2), or None
        Lower and upper bounds of the intervals.

    Returns
    -------
    dict of str to float
        R² (0 for rows whose true numbers are all equal), mean absolute error and, with intervals,
        the share of rows within theirs and the median width.
    """
    errors, deviations = true - predicted, true - true.mean()
    variation = float(deviations @ deviations)
    facts = {
        "r2": 1.0 - float(errors @ errors) / variation if variation > 0 else 0.0,
        "mean_absolute_error": float(np.abs(errors).mean()),
    }
    if bounds is not None:
        within = (bounds[:, 0] <= true) & (true <= bounds[:, 1])
        facts["interval_coverage"] = float(within.mean())
        facts["interval_width"] = float(np.median(bounds[:, 1] - bounds[:, 0]))
    return facts


def draw_predictions(
    true: FloatArray,
    predicted: FloatArray,
    bounds: FloatArray | None,
    names: Sequence[str],
    path: Path,
) -> None:
    """Draw predicted against true numbers into an image file, one panel per target.

    Parameters
    ----------
    true, predicted : ndarray of shape (n, m)
    bounds : ndarray of shape (n, m, 2), or None
        Intervals, drawn as bars.
    names : sequence of length m
    path : Path
        See `faast.cli._confusion.check_plot`.
    """
    figure_type = import_optional("matplotlib.figure", "plots").Figure
    figure = figure_type(figsize=(5.0 * len(names), 4.6), layout="constrained")
    for place, axes in enumerate(figure.subplots(1, len(names), squeeze=False)[0]):
        x, y = true[:, place], predicted[:, place]
        if bounds is not None and np.isfinite(bounds[:, place]).all():
            bars = np.abs(bounds[:, place].T - y)
            axes.errorbar(x, y, bars, fmt="none", ecolor="tab:blue", alpha=0.2, zorder=1)
        axes.scatter(x, y, s=14, color="tab:blue", edgecolor="white", linewidth=0.4, zorder=2)
        ends = [min(x.min(), y.min()), max(x.max(), y.max())]
        axes.plot(ends, ends, color="black", linewidth=1.0, linestyle="--", zorder=3)
        name = escape_controls(names[place])
        axes.set_xlabel(f"{name}, true", parse_math=False)
        axes.set_ylabel(f"{name}, predicted", parse_math=False)
    figure.savefig(path)
