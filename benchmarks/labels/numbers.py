"""Numbers: errors beside a tuned ridge, and how often and how tightly intervals hold."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV

from benchmarks._lib.paths import DATA
from faast import FaastRegressor
from faast.encoders import load_encoder

TITLE = "Numbers and their intervals"
COVERAGE = 0.9
CAPTIONS = 6000
FARTHEST = 0.2
DRAWS, QUICK_DRAWS = 10, 5

INTRODUCTION = f"""Regressors learn n rows and are asked all others, in {DRAWS} draws (means, and 95% intervals of means).
*diabetes*: scikit-learn's table of 442 patients. *caption lengths*: the number of characters of the German
translation of an English caption (Multi30k), from `hashing` features of the caption with 512 columns.

Intervals are to hold {COVERAGE:.0%} of the numbers. *ours* scales leave-one-out errors by leverage; *constant width*
takes the same errors unscaled; *split* fits on half of the rows and takes the errors of the other half. *far rows* are
the fifth of the asked rows with the highest leverage. Widths are medians, in standard deviations of the numbers."""


class Task(NamedTuple):
    name: str
    rows: np.ndarray
    targets: np.ndarray
    sizes: tuple[int, ...]


class Intervals(NamedTuple):
    """Lower and upper bounds of the asked rows."""

    lower: np.ndarray
    upper: np.ndarray

    def describe(self, true: np.ndarray, far: np.ndarray) -> list[float]:
        inside = (self.lower <= true) & (true <= self.upper)
        width = np.median(self.upper - self.lower) / true.std()
        return [float(inside.mean()), float(inside[far].mean()), float(width)]


def tasks() -> list[Task]:
    rows, targets = load_diabetes(return_X_y=True)
    english, german = (read_captions(language) for language in ("en", "de"))
    features = load_encoder("hashing", n_features=512).encode(english).astype(np.float64)
    lengths = np.array([len(text) for text in german], dtype=np.float64)
    return [
        Task("diabetes", rows, targets, (50, 100, 300)),
        Task("caption lengths", features, lengths, (50, 200, 1000)),
    ]


def read_captions(language: str) -> list[str]:
    path = DATA / "translation" / f"multi30k_train.{language}.xz"
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()[:CAPTIONS]


def constant(model: FaastRegressor, asked: np.ndarray) -> Intervals:
    """Intervals of one width, from the leave-one-out errors as they are (jackknife)."""
    assert model.learned_ is not None
    assert model.learned_.statistics is not None
    left_out = model.learned_.loo_values()[:, 0]
    true = model.learned_.statistics.sampled_rows().values[:, 0]
    return around(model.predict(asked), np.abs(true - left_out))


def split(rows: np.ndarray, targets: np.ndarray, asked: np.ndarray) -> Intervals:
    """Intervals of a model of half the rows, from its errors on the other half."""
    half = len(rows) // 2
    model = FaastRegressor().fit(rows[:half], targets[:half])
    return around(model.predict(asked), np.abs(targets[half:] - model.predict(rows[half:])))


def around(predicted: np.ndarray, errors: np.ndarray) -> Intervals:
    place = int(np.ceil(COVERAGE * (len(errors) + 1))) - 1
    width = np.sort(errors)[min(place, len(errors) - 1)]
    return Intervals(predicted - width, predicted + width)


def measure_draw(task: Task, size: int, seed: int) -> dict[str, list[float]]:
    order = np.random.default_rng([seed, size]).permutation(len(task.rows))
    learned, asked = order[:size], order[size:]
    rows, targets = task.rows[learned], task.targets[learned]
    true, X = task.targets[asked], task.rows[asked]
    ours = FaastRegressor().fit(rows, targets)
    tuned = RidgeCV(np.logspace(-5, 3, 40)).fit(rows, targets)
    assert ours.learned_ is not None
    spread = ours.learned_.solution.spread
    assert spread is not None
    leverage = spread.leverage.of(X)
    far = leverage >= np.quantile(leverage, 1 - FARTHEST)
    found = {"r2": [float(ours.score(X, true)), float(ours.loo_r2_), float(tuned.score(X, true))]}
    intervals = {
        "ours": Intervals(*ours.predict_interval(X, COVERAGE).T),
        "constant width": constant(ours, X),
        "split": split(rows, targets, X),
    }
    for name, bounds in intervals.items():
        found[name] = bounds.describe(true, far)
    return found


def shown(values: np.ndarray, form: Callable[[float], str]) -> str:
    error = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return f"{form(float(values.mean()))} ± {form(float(error))}"


def measure(quick: bool) -> list[str]:
    draws = QUICK_DRAWS if quick else DRAWS
    scores = [
        "| rows | ours, R² | ours left out, R² | tuned ridge, R² | ours less ridge |",
        "|---|---|---|---|---|",
    ]
    held = [
        "| rows | intervals | hold | hold of far rows | width / deviation | less wide than split |",
        "|---|---|---|---|---|---|",
    ]

    def number(value: float) -> str:
        return f"{value:.3f}"

    def percent(value: float) -> str:
        return f"{100 * value:.1f}%"

    for task in tasks():
        for size in task.sizes:
            found = [measure_draw(task, size, seed) for seed in range(draws)]
            r2 = np.array([part["r2"] for part in found])
            cells = [
                *(shown(column, number) for column in r2.T),
                shown(r2[:, 0] - r2[:, 2], number),
            ]
            scores.append(f"| {task.name}, {size} | {' | '.join(cells)} |")
            by_name = {name: np.array([part[name] for part in found]) for name in found[0]}
            for name in ("ours", "constant width", "split"):
                inside, far, width = by_name[name].T
                less = by_name["split"][:, 2] - width
                held.append(
                    f"| {task.name}, {size} | {name} | {shown(inside, percent)} | "
                    f"{shown(far, percent)} | {shown(width, number)} | "
                    f"{'' if name == 'split' else shown(less, number)} |"
                )
    return [INTRODUCTION, "", *scores, "", *held]
