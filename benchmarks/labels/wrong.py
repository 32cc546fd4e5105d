"""How well wrong labels are found, counted and corrected, beside cleanlab and cross-validation.

All methods see the same features. The way to rank rows was chosen on scikit-learn's digits and on
8,000 other rows of CIFAR-10N. A quick run of the texts below showed that the counts of confusions
were smoothed too much for many classes; how to smooth them was then chosen on that other data.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from cleanlab.count import num_label_issues
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from safetensors.numpy import load_file
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from benchmarks._lib.datasets import load, present
from benchmarks._lib.paths import DATA
from benchmarks._lib.report import plus_minus, table
from faast import FaastClassifier

TITLE = "Wrong labels"
HUMAN = {"aggregate": "aggre_label", "one annotator": "random_label1", "worst": "worse_label"}
PLANTED = (0.1, 0.2, 0.4)
TEXTS = ("trec", "banking77", "sst2")
HUMAN_ROWS, TEXT_ROWS = 5_000, 3_000
DEVELOPED_ON = 8_000
"""Rows of CIFAR-10N, in the order of seed 0, on which the method was developed."""
FOLDS = 5


class Problem(NamedTuple):
    """Rows with given labels and their right ones, and rows to test on; labels are 0, 1, …."""

    name: str
    rows: np.ndarray
    given: np.ndarray
    right: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        return self.given != self.right


class Found(NamedTuple):
    """Doubt of every row, the estimated number of wrong labels, and seconds."""

    doubt: np.ndarray
    n_wrong: float
    seconds: float


def human(quick: bool) -> Iterator[Problem]:
    """CIFAR-10 with the labels that people gave (CIFAR-10N, Wei et al. 2022)."""
    found, _ = load(("cifar10",))
    for dataset in found.values():
        labels = load_file(present(DATA / "noise" / "cifar10n.safetensors"))
        order = np.random.default_rng(0).permutation(len(dataset.train))
        chosen = order[DEVELOPED_ON : DEVELOPED_ON + (2_000 if quick else HUMAN_ROWS)]
        right = dataset.train_labels[chosen].astype(np.int64)
        for name, key in HUMAN.items():
            given = labels[key][chosen].astype(np.int64)
            parts = dataset.train[chosen], given, right, dataset.test
            yield Problem(f"CIFAR-10N {name}", *parts, dataset.test_labels.astype(np.int64))


def planted(quick: bool) -> Iterator[Problem]:
    """Texts of which a share got one of the other labels, each as likely."""
    for name, dataset in load(TEXTS)[0].items():
        rng = np.random.default_rng(1)
        chosen = rng.permutation(len(dataset.train))[: 1_500 if quick else TEXT_ROWS]
        classes, right = np.unique(dataset.train_labels[chosen], return_inverse=True)
        known = np.isin(dataset.test_labels, classes)
        asked = dataset.test[known], np.searchsorted(classes, dataset.test_labels[known])
        for share in PLANTED:
            moved = rng.integers(1, len(classes), len(right))
            given = np.where(rng.random(len(right)) < share, (right + moved) % len(classes), right)
            yield Problem(f"{name}, {share:.0%}", dataset.train[chosen], given, right, *asked)


def crossed(problem: Problem) -> np.ndarray:
    """Return probabilities of rows by logistic regression on the other folds."""
    model = LogisticRegression(C=10.0, max_iter=200)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return cross_val_predict(model, problem.rows, problem.given, cv=folds, method="predict_proba")


def by_cleanlab(given: np.ndarray, proba: np.ndarray, seconds: float) -> Found:
    started = time.perf_counter()
    doubt = 1.0 - get_label_quality_scores(given, proba)
    number = float(num_label_issues(given, pred_probs=proba))
    return Found(doubt, number, seconds + time.perf_counter() - started)


def measures(problem: Problem, found: Found) -> tuple[float, float, float, float, float]:
    """Precision at the number of wrong rows (which is recall too), areas, and the estimate."""
    wrong = problem.wrong
    first = np.argsort(-found.doubt, kind="stable")[: wrong.sum()]
    return (
        100 * wrong[first].mean(),
        100 * roc_auc_score(wrong, found.doubt),
        100 * average_precision_score(wrong, found.doubt),
        found.n_wrong / wrong.sum(),
        found.seconds,
    )


def solve(problem: Problem) -> tuple[dict[str, Found], dict[str, float]]:
    """Find wrong labels by every method, and test what correcting them gains."""
    rows, given, right = problem.rows, problem.given, problem.right
    started = time.perf_counter()
    model = FaastClassifier().fit(rows, given)
    suspects = model.suspects(rows, given)
    seconds = time.perf_counter() - started
    doubt = np.empty(len(rows))
    doubt[suspects.rows] = suspects.doubt
    started = time.perf_counter()
    proba = model.loo_proba(rows, given)
    ours, asked = Found(doubt, suspects.n_wrong, seconds), time.perf_counter() - started
    started = time.perf_counter()
    folds = crossed(problem)
    found = {
        "ours": ours,
        "cleanlab": by_cleanlab(given, proba, max(seconds, asked)),
        "5-fold": by_cleanlab(given, folds, time.perf_counter() - started),
    }
    score = {"as given": model.score(problem.test, problem.test_labels)}
    flagged = suspects.flagged()
    model.relabel(rows[flagged.rows], flagged.given, flagged.suggested)
    score["corrected"] = model.score(problem.test, problem.test_labels)
    left = np.setdiff1d(np.arange(len(rows)), flagged.rows)
    fair = ~find_label_issues(given, proba, n_jobs=1)
    for name, kept, labels in (
        ("forgotten", left, given),
        ("forgotten by cleanlab", fair, given),
        ("right labels", np.arange(len(rows)), right),
    ):
        again = FaastClassifier().fit(rows[kept], labels[kept])
        score[name] = again.score(problem.test, problem.test_labels)
    return found, {name: 100 * accuracy for name, accuracy in score.items()}


def difference(values: np.ndarray) -> str:
    """Return the mean of paired differences over the problems, with its 95% interval."""
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return plus_minus(float(values.mean()), float(half), sign=True)


def measure(quick: bool) -> list[str]:
    """Return the section of the page."""
    lines, gains, all_measures = [], [], []
    for problems in (human(quick), planted(quick)):
        for problem in problems:
            print(problem.name, file=sys.stderr)
            found, accuracy = solve(problem)
            measured = {name: measures(problem, one) for name, one in found.items()}
            all_measures.append(measured)
            gains.append((problem, accuracy))
            lines.append((problem, measured))
    return [*_explanation(), *_ranking(lines), *_summary(all_measures), *_correction(gains)]


def _explanation() -> list[str]:
    return [
        "Rows whose label is wrong are ranked first. *Ours* is `suspects`; *cleanlab* ranks by "
        "self-confidence, its default, on the same leave-one-out probabilities; *5-fold* is cleanlab "
        "on probabilities of logistic regression (C = 10) in five-fold cross-validation. CIFAR-10N "
        f"holds labels of people ({HUMAN_ROWS:,} of the 50,000 rows); texts (at most {TEXT_ROWS:,} "
        "rows) got other labels at random. Hit is the share of wrong rows among the first k, with k "
        "the true number of wrong rows, so that it is precision and recall; ROC and AP are areas "
        "under the ROC and the precision-recall curve; all in percent. Count is the estimated number "
        "of wrong labels over the true one.",
        "",
    ]


def _ranking(lines: list[tuple[Problem, dict[str, tuple[float, ...]]]]) -> list[str]:
    header = ["rows", "wrong", "method", "hit", "ROC", "AP", "count", "seconds"]
    body = [
        [
            problem.name if method == "ours" else "",
            f"{problem.wrong.sum():,}" if method == "ours" else "",
            method,
            *(f"{value:.1f}" for value in values[:3]),
            f"{values[3]:.2f}",
            f"{values[4]:.1f}",
        ]
        for problem, measured in lines
        for method, values in measured.items()
    ]
    return table(header, body)


def _summary(found: list[dict[str, tuple[float, ...]]]) -> list[str]:
    values = {name: np.array([one[name] for one in found]) for name in found[0]}
    rows = [
        [
            f"ours less {name}",
            *(difference(values["ours"][:, i] - values[name][:, i]) for i in range(3)),
        ]
        for name in ("cleanlab", "5-fold")
    ]
    errors = ", ".join(
        f"{name} {np.exp(np.abs(np.log(one[:, 3])).mean()):.2f}" for name, one in values.items()
    )
    return [
        f"Means of paired differences over the {len(found)} problems, with 95% intervals:",
        "",
        *table(["", "hit", "ROC", "AP"], rows),
        f"Estimated numbers are off by a factor of (geometric mean): {errors}.",
        "",
    ]


def _correction(gains: list[tuple[Problem, dict[str, float]]]) -> list[str]:
    names = list(gains[0][1])
    values = np.array([[accuracy[name] for name in names] for _, accuracy in gains])
    rows = [
        [problem.name, *(f"{accuracy[name]:.1f}" for name in names)] for problem, accuracy in gains
    ]
    rows.append(
        [
            "**mean, less as given**",
            "",
            *(difference(values[:, i] - values[:, 0]) for i in range(1, len(names))),
        ]
    )
    return [
        "Test accuracy (%) after the flagged rows were given the suggested label (`relabel`), or were "
        "forgotten, or the rows that cleanlab flags were; and with the right labels:",
        "",
        *table(["rows", *names], rows),
    ]
