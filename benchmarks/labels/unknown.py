"""Rows of no learned class, and answers only where a promised precision is kept."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from benchmarks._lib.datasets import CLIP, Dataset, load
from benchmarks._lib.report import plus_minus, stratified, table
from faast import FaastClassifier

TITLE = "Rows without an answer"
SETS = (*CLIP, "dtd", "banking77")
OTHERS = {
    "caltech101": "dtd",
    "oxford_flowers": "dtd",
    "oxford_pets": "oxford_flowers",
    "dtd": "oxford_pets",
    "banking77": "trec",
}
"""The set that plays the other domain: rows of the same encoder."""

SHOTS, DRAWS, PROMISE_DRAWS, NEIGHBOURS = 16, 5, 10, 10
HALF_DRAWS = 3
PRECISIONS = (0.8, 0.9, 0.95)
OURS = "novelty_score"

Scorer = Callable[[np.ndarray], np.ndarray]


# -- rows of no learned class ---------------------------------------------------------------------


def scorers(rows: np.ndarray, labels: np.ndarray) -> dict[str, Scorer]:
    """Fit every method on the same rows; larger scores are more novel."""
    model = FaastClassifier(novelty=True).fit(rows, labels)
    logistic = LogisticRegression(C=10.0, max_iter=300).fit(rows, labels)
    means = np.stack([rows[labels == label].mean(axis=0) for label in np.unique(labels)])
    within = rows - means[np.searchsorted(np.unique(labels), labels)]
    whiten = np.linalg.cholesky(np.linalg.inv(ledoit_wolf(within)[0]))
    neighbours = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(rows)

    def mahalanobis(asked: np.ndarray) -> np.ndarray:
        return cdist(asked @ whiten, means @ whiten).min(axis=1)

    return {
        OURS: model.novelty_score,
        "top probability": lambda asked: -model.predict_proba(asked).max(axis=1),
        "energy": lambda asked: -logsumexp(logistic.decision_function(asked), axis=1),
        "Mahalanobis": mahalanobis,
        "k-NN distance": lambda asked: neighbours.kneighbors(asked)[0][:, -1],
    }


def error_at_95(known: np.ndarray, new: np.ndarray) -> float:
    """Return the share of new rows that pass where 95% of the known rows do."""
    return float(np.mean(new <= np.quantile(known, 0.95)))


def detect(learned: tuple, known: np.ndarray, new: np.ndarray) -> dict[str, tuple[float, float]]:
    truth = np.repeat([0, 1], [len(known), len(new)])
    found = {}
    for name, score in scorers(*learned).items():
        known_scores, new_scores = score(known), score(new)
        area = roc_auc_score(truth, np.concatenate([known_scores, new_scores]))
        found[name] = float(area), error_at_95(known_scores, new_scores)
    return found


def held_out(dataset: Dataset, seed: int) -> dict[str, tuple[float, float]]:
    """Learn half of the classes; the other half is new."""
    classes = np.unique(dataset.train_labels)
    unseen = np.random.default_rng(seed).permutation(classes)[: len(classes) // 2]
    rows, labels = dataset.support(SHOTS, seed)
    kept, new = ~np.isin(labels, unseen), np.isin(dataset.test_labels, unseen)
    return detect((rows[kept], labels[kept]), dataset.test[~new], dataset.test[new])


def other_domain(dataset: Dataset, other: Dataset, seed: int) -> dict[str, tuple[float, float]]:
    return detect(dataset.support(SHOTS, seed), dataset.test, other.test)


def detection_lines(
    title: str, found: dict[str, list[dict[str, tuple[float, float]]]]
) -> list[str]:
    """Tabulate the measurements (set: draws) and the paired differences from ours."""
    names = list(next(iter(found.values()))[0])
    figures = np.array([[[d[n] for n in names] for d in draws] for draws in found.values()])
    rows = []
    for i, name in enumerate(names):
        cells = [f"{figures[s, :, i, 0].mean():.3f}" for s in range(len(found))]
        gaps = figures[:, :, 0] - figures[:, :, i]
        paired = ["", ""]
        if i:
            paired = [plus_minus(*stratified(gaps[..., part]), 3, True) for part in (0, 1)]
        mean, error = figures[:, :, i].mean(axis=(0, 1))
        rows.append([name, *cells, f"{mean:.3f}", paired[0], f"{error:.3f}", paired[1]])
    header = ["method", *found, "mean AUROC", "ours minus it", "mean FPR at 95%", "ours minus it"]
    return [f"### {title}", "", *table(header, rows)]


# -- promised precision ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Promise:
    """What became of one wanted precision: on test rows, if it could be promised at all."""

    set: str
    rows: str
    wanted: float
    precision: float
    coverage: float


def promises(dataset: Dataset, seed: int) -> Iterator[Promise]:
    half = np.random.default_rng(seed).permutation(len(dataset.train))[: len(dataset.train) // 2]
    draws = {"16 a class": dataset.support(SHOTS, seed)}
    if seed < HALF_DRAWS:
        draws["half of all"] = dataset.train[half], dataset.train_labels[half]
    for rows, learned in draws.items():
        model = FaastClassifier().fit(*learned)
        probabilities = model.predict_proba(dataset.test)
        top, right = probabilities.max(axis=1), model.predict(dataset.test) == dataset.test_labels
        for wanted in PRECISIONS:
            try:
                least = model.answer_threshold(wanted).probability
            except ValueError:
                yield Promise(dataset.name, rows, wanted, np.nan, 0.0)
                continue
            given = top >= least
            yield Promise(
                dataset.name, rows, wanted, float(right[given].mean()), float(given.mean())
            )


def promise_lines(found: list[Promise]) -> list[str]:
    rows = []
    for key in dict.fromkeys((row.set, row.rows, row.wanted) for row in found):
        runs = [row for row in found if (row.set, row.rows, row.wanted) == key]
        precision = np.array([row.precision for row in runs if row.coverage])
        coverage = np.array([row.coverage for row in runs if row.coverage])
        cells = ["", "", ""]
        if len(precision):
            kept = f"{np.mean(precision >= key[2]):.0%}"
            cells = [kept, *(plus_minus(*stratified(v[None]), 3) for v in (precision, coverage))]
        rows.append([*key, len(runs), len(precision), *cells])
    promised = [row for row in found if row.coverage]
    kept = np.mean([row.precision >= row.wanted for row in promised])
    return [
        "### Answers only where a precision is promised",
        "",
        f"Of {len(promised)} promises {kept:.1%} are kept on the test rows; each is made with a confidence of 90%. "
        "Where a precision cannot be promised, `answer_threshold` says so and the run counts in no average.",
        "",
        *table(
            ["set", "learned", "wanted", "runs", "promised", "kept", "precision", "coverage"], rows
        ),
    ]


def measure(quick: bool) -> list[str]:
    sets, absent = load((*SETS, "trec"))
    names = [name for name in SETS if name in sets]
    classes: dict[str, list] = {}
    domains: dict[str, list] = {}
    promised: list[Promise] = []
    for name in names:
        dataset, other = sets[name], sets.get(OTHERS[name])
        for seed in range(1 if quick else DRAWS):
            print(f"{name}: draw {seed + 1}", file=sys.stderr)
            classes.setdefault(name, []).append(held_out(dataset, seed))
            if other is not None:
                domains.setdefault(name, []).append(other_domain(dataset, other, seed))
        for seed in range(1 if quick else PROMISE_DRAWS):
            promised += promises(dataset, seed)
    return [
        f"{SHOTS} rows a class are learned, in {DRAWS} draws, from the same features for all methods. The top "
        "probability is that of the same model; energy (Liu et al. 2020) is that of a logistic regression (C = 10); "
        "Mahalanobis distances (Lee et al. 2018) use class means and one Ledoit-Wolf covariance within classes; "
        f"k-NN (Sun et al. 2022) is the distance to the {NEIGHBOURS}th neighbour of unit rows. AUROC: area under the "
        "ROC curve of telling new rows from those of learned classes. FPR at 95%: share of new rows that pass where "
        "95% of the others do (lower is better). ± is half a 95% interval of paired differences over draws.",
        "",
        *absent,
        *detection_lines("New classes: half of the classes are held out", classes),
        *detection_lines("Another domain: test rows of another set", domains),
        *promise_lines(promised),
    ]
