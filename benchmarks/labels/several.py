"""Several labels a row: nouns of captions, with thresholds that each method chooses on its own.

There is no public set of texts with several labels in the shared folder, so one is made of what is:
the English captions of Multi30k are the rows, and the labels of a caption are the nouns of its
German translation by people, those that are frequent. German writes nouns with a capital letter;
the first word of a caption is left out, as every sentence begins with one.
"""

from __future__ import annotations

import lzma
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.sparse import csr_array
from scipy.special import expit
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import KFold

from benchmarks._lib.paths import CACHE, DATA
from faast import FaastClassifier
from faast.encoders import load_encoder
from faast.solvers.calibration import calibration_error

TITLE = "Several labels a row"
OURS = "faast"

ENCODERS = ("hashing", "minilm")
DRAWS = {300: 5, 1000: 5}
"""Draws of each number of rows."""

QUICK = {300: 2}
POOL, N_LABELS, FOLDS = 6000, 40, 3
STRENGTHS = (1.0, 10.0, 100.0)
"""C of the logistic regression, and 10 / C of ridge, from which cross-validation chooses."""

METRICS = {
    "micro": "micro F1",
    "macro": "macro F1",
    "ap": "average precision",
    "exact": "exact match",
    "ece": "calibration error",
    "seconds": "seconds",
}
"""Macro averages are over the labels that have a row among those learned."""

LESS_IS_BETTER = ("ece", "seconds")


@dataclass(frozen=True)
class Answers:
    """Marks that a method predicts, and probabilities."""

    marks: np.ndarray
    probabilities: np.ndarray


# -- data --------------------------------------------------------------------------------------


def captions(part: str, language: str) -> list[str]:
    path = DATA / "translation" / f"multi30k_{part}.{language}.xz"
    return lzma.open(path, "rt", encoding="utf-8").read().rstrip("\n").split("\n")


def nouns(caption: str) -> set[str]:
    return {word for word in re.findall(r"\w{3,}", caption)[1:] if word[0].isupper()}


@cache
def labelled() -> tuple[list[str], np.ndarray, list[str], np.ndarray, list[str]]:
    """Return captions and marks to learn from and to test on, and the labels."""
    german = captions("train", "de")
    counts = Counter(noun for caption in german[:POOL] for noun in nouns(caption))
    labels = [noun for noun, _ in counts.most_common(N_LABELS)]
    test = [captions(part, "de") for part in ("val", "test")]
    marks = [
        np.array([[label in nouns(caption) for label in labels] for caption in part])
        for part in (german[:POOL], [caption for part in test for caption in part])
    ]
    english = [caption for part in ("val", "test") for caption in captions(part, "en")]
    return captions("train", "en")[:POOL], marks[0], english, marks[1], labels


def encode(name: str) -> tuple[np.ndarray, np.ndarray]:
    kept = CACHE / "features" / f"multi30k-{name}.npz"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        encoder = load_encoder(name)
        train, _, test, _, _ = labelled()
        np.savez(kept, train=encoder.encode(train), test=encoder.encode(test))
    found = np.load(kept)
    return found["train"], found["test"]


# -- methods -----------------------------------------------------------------------------------


def ours(X: np.ndarray, Y: np.ndarray, T: np.ndarray) -> dict[str, Answers]:
    model = FaastClassifier().fit(X, Y.astype(int))
    return {OURS: Answers(model.predict(T) == 1, model.predict_proba(T))}


Scores = Callable[[float, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def logistic_scores(strength: float, X: np.ndarray, Y: np.ndarray, T: np.ndarray) -> np.ndarray:
    sparse = np.mean(X != 0) < 0.2  # hashed texts, which it fits faster
    learned, asked = (csr_array(X), csr_array(T)) if sparse else (X, T)
    found = np.full((len(T), Y.shape[1]), -10.0)
    for label in np.flatnonzero(Y.any(axis=0)):
        fitted = LogisticRegression(C=strength, max_iter=300).fit(learned, Y[:, label])
        found[:, label] = fitted.decision_function(asked)
    return found


def ridge_scores(strength: float, X: np.ndarray, Y: np.ndarray, T: np.ndarray) -> np.ndarray:
    return Ridge(alpha=10.0 / strength).fit(X, Y.astype(float)).predict(T)


def tuned(
    name: str, scores: Scores, as_probability: Callable[[np.ndarray], np.ndarray]
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], dict[str, Answers]]:
    """Return a method that chooses strength and thresholds of best F1 by cross-validation."""

    def method(X: np.ndarray, Y: np.ndarray, T: np.ndarray) -> dict[str, Answers]:
        folds = list(KFold(FOLDS, shuffle=True, random_state=0).split(X))
        tried = {strength: np.zeros(Y.shape) for strength in STRENGTHS}
        for strength, left in tried.items():
            for learned, asked in folds:
                left[asked] = scores(strength, X[learned], Y[learned], X[asked])
        ranks = {c: average_precision_score(Y.ravel(), s.ravel()) for c, s in tried.items()}
        best = max(ranks, key=ranks.__getitem__)
        found, left = scores(best, X, Y, T), tried[best]
        each = np.array([best_threshold(s, y) for s, y in zip(left.T, Y.T, strict=True)])
        common = best_threshold(left.ravel(), Y.ravel())
        probabilities = as_probability(found)
        return {
            f"{name}, a threshold per label": Answers(found > each, probabilities),
            f"{name}, one threshold": Answers(found > common, probabilities),
        }

    return method


def best_threshold(scores: np.ndarray, marks: np.ndarray) -> float:
    order = np.argsort(-scores)
    hits = np.cumsum(marks[order])
    f1 = 2 * hits / (marks.sum() + np.arange(1, len(marks) + 1))
    place = int(f1.argmax())
    following = scores[order[min(place + 1, len(order) - 1)]]
    return float(scores[order[place]] + following) / 2


METHODS = (
    ours,
    tuned("logistic regression", logistic_scores, expit),
    tuned("ridge", ridge_scores, lambda scores: np.clip(scores, 0.0, 1.0)),
)


# -- measuring ---------------------------------------------------------------------------------


def metrics(answers: Answers, Y: np.ndarray) -> dict[str, float]:
    ranked = [
        average_precision_score(y, p) for y, p in zip(Y.T, answers.probabilities.T, strict=True)
    ]
    return {
        "micro": f1_score(Y, answers.marks, average="micro", zero_division=0),
        "macro": f1_score(Y, answers.marks, average="macro", zero_division=0),
        "ap": float(np.mean(ranked)),
        "exact": float((answers.marks == Y).all(axis=1).mean()),
        "ece": calibration_error(answers.probabilities.ravel(), Y.ravel()),
    }


def measure_draw(X: np.ndarray, T: np.ndarray, size: int, seed: int) -> dict[str, dict[str, float]]:
    _, Y, _, U, _ = labelled()
    drawn = np.random.default_rng([seed, size]).permutation(len(X))[:size]
    learned = Y[drawn].any(axis=0)
    found = {}
    for method in METHODS:
        started = time.perf_counter()
        answered = method(X[drawn], Y[drawn][:, learned], T)
        seconds = time.perf_counter() - started
        for name, answers in answered.items():
            found[name] = {**metrics(answers, U[:, learned]), "seconds": seconds}
    return found


def measure(quick: bool) -> list[str]:
    texts, marks, _, _, labels = labelled()
    lines = [
        f"English captions of Multi30k; the labels of a caption are the nouns of its German "
        f"translation by people, the {len(labels)} most frequent ones. A caption has "
        f"{marks.sum(axis=1).mean():.2f} of them on average, {np.mean(~marks.any(axis=1)):.0%} have "
        f"none; the rarest occurs in {marks.mean(axis=0).min():.1%} of captions. Rows are drawn from "
        f"{len(texts):,} captions, and 2,014 others are asked. All methods get the same features; the "
        f"others choose strength and thresholds (best F1, per label or over all) by {FOLDS}-fold "
        "cross-validation on the learned rows, one-vs-rest; ours chooses in closed form. Averages "
        "over labels are over those with a learned row. Differences are ours minus theirs, paired over draws, with 95% intervals.",
        "",
    ]
    for encoder in ENCODERS[:1] if quick else ENCODERS:
        X, T = encode(encoder)
        for size, n_draws in (QUICK if quick else DRAWS).items():
            print(f"{encoder}: {size} rows", file=sys.stderr)
            draws = [measure_draw(X, T, size, seed) for seed in range(n_draws)]
            lines += [f"### {encoder}, {size:,} rows, {n_draws} draws", "", *table(draws), ""]
    return lines


def table(draws: list[dict[str, dict[str, float]]]) -> list[str]:
    rows = ["| | " + " | ".join(METRICS.values()) + " |", "|---|" + "---|" * len(METRICS)]
    behind = []
    for name in draws[0]:
        means = [np.mean([draw[name][metric] for draw in draws]) for metric in METRICS]
        rows.append(f"| {name} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")
        if name == OURS:
            continue
        cells = []
        for metric, title in METRICS.items():
            gap = np.array([draw[OURS][metric] - draw[name][metric] for draw in draws])
            n = len(gap)
            half = float(student.ppf(0.975, n - 1)) * gap.std(ddof=1) / np.sqrt(n)
            cells.append(f"{gap.mean():+.3f} ± {half:.3f}")
            if (gap.mean() if metric in LESS_IS_BETTER else -gap.mean()) > half:
                behind.append(f"{title} of {name}")
        rows.append("| ours minus it | " + " | ".join(cells) + " |")
    return [
        *rows,
        "",
        f"Ours is behind, beyond the interval, in: {', '.join(behind) or 'nothing'}.",
    ]
