"""One row in, one answer out: accuracy and milliseconds of streams, each row predicted first.

Run ``python -m benchmarks.scale.streams [--sets caltech101 ...]``; it writes results/scale/streams.md.
Sets are those of `benchmarks._lib.datasets`.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field

import numpy as np
from sklearn.linear_model import SGDClassifier

from benchmarks._lib.datasets import load
from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import command_line, provenance, table, write_page
from faast import FaastClassifier, OnlineClassifier
from faast.evaluation.baselines.recursive import RecursiveLeastSquares
from faast.evaluation.measure import one_thread

SETS = ("caltech101", "cifar10")
ROWS = 2000
EVERY = 10
"""Rows after which the exact classifier solves anew."""


# -- methods -----------------------------------------------------------------------------------


class Online:
    name = "**OnlineClassifier**"

    def __init__(self, width: int, n_classes: int) -> None:
        self.model = OnlineClassifier(FaastClassifier())
        self.n_solved = 0

    def learn(self, x: np.ndarray, y: int) -> None:
        self.n_solved += self.model.learn_one(x, y).is_solved

    def predict(self, x: np.ndarray) -> int:
        return self.model.predict_one(x)


class Exact:
    name = f"FaastClassifier, solved every {EVERY} rows"

    def __init__(self, width: int, n_classes: int) -> None:
        self.model, self.answering, self.n = FaastClassifier(), None, 0

    def learn(self, x: np.ndarray, y: int) -> None:
        self.model.partial_fit(x[None], [y])
        self.n += 1
        if self.n % EVERY == 0 or self.answering is None:
            self.answering = self.model.compact()

    def predict(self, x: np.ndarray) -> int:
        return self.answering.predict(x[None])[0]


class Sgd:
    name = "SGDClassifier"

    def __init__(self, width: int, n_classes: int) -> None:
        self.model = SGDClassifier(loss="log_loss", random_state=0)
        self.classes = np.arange(n_classes)

    def learn(self, x: np.ndarray, y: int) -> None:
        self.model.partial_fit(x[None], [y], self.classes)

    def predict(self, x: np.ndarray) -> int:
        return self.model.predict(x[None])[0]


class Recursive:
    name = "recursive least squares"

    def __init__(self, width: int, n_classes: int) -> None:
        self.model, self.values = RecursiveLeastSquares(), np.eye(n_classes)

    def learn(self, x: np.ndarray, y: int) -> None:
        self.model.learn(x[None], self.values[y][None])

    def predict(self, x: np.ndarray) -> int:
        return int(self.model.read(x[None])[0].argmax())


class NearestMean:
    name = "nearest class mean"

    def __init__(self, width: int, n_classes: int) -> None:
        self.means, self.counts = np.zeros((n_classes, width)), np.zeros(n_classes)

    def learn(self, x: np.ndarray, y: int) -> None:
        self.counts[y] += 1
        self.means[y] += (x - self.means[y]) / self.counts[y]

    def predict(self, x: np.ndarray) -> int:
        scores = self.means @ x - 0.5 * np.einsum("ij,ij->i", self.means, self.means)
        return int(np.where(self.counts > 0, scores, -np.inf).argmax())


METHODS = (Online, Exact, Sgd, Recursive, NearestMean)


# -- streams -----------------------------------------------------------------------------------


@dataclass
class Run:
    """What one method did with a stream: which answers were right, and milliseconds per row."""

    method: object
    right: list[bool] = field(default_factory=list)
    took: list[float] = field(default_factory=list)

    def step(self, x: np.ndarray, y: int, first: bool) -> None:
        start = time.process_time()
        answer = None if first else self.method.predict(x)
        self.method.learn(x, y)
        self.took.append(1000 * (time.process_time() - start))
        self.right.append(answer == y)


@dataclass
class Stream:
    rows: np.ndarray
    labels: np.ndarray
    runs: list[Run]
    kept: list[bool]
    """Right answers of the weights of the last solution of `OnlineClassifier`, left as they were."""


def shuffled(rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(0).permutation(len(rows))[:ROWS]
    return rows[order], np.unique(labels[order], return_inverse=True)[1]


def learn(name: str, rows: np.ndarray, labels: np.ndarray) -> Stream:
    """Let all methods take each row in turn."""
    shape = rows.shape[1], int(labels.max()) + 1
    runs, kept, last = [Run(method(*shape)) for method in METHODS], [], None
    for i, (x, y) in enumerate(zip(rows, labels.tolist(), strict=True)):
        if i % 500 == 0:
            print(f"{name}: {i} rows", file=sys.stderr)
        kept.append(last is not None and last.predict(x[None])[0] == y)
        for run in runs:
            run.step(x, y, first=i == 0)
        online = runs[0].method.model
        if online.is_solved:
            last = online.classifier.compact()
    return Stream(rows, labels, runs, kept)


def is_same(stream: Stream) -> bool:
    """Whether the solved stream gives the floats of one fit."""
    online = stream.runs[0].method.model.solve()
    batch = FaastClassifier().fit(stream.rows, stream.labels)
    return all(
        list(online.predict_proba_one(x).values()) == batch.predict_proba(x[None])[0].tolist()
        for x in stream.rows[:100]
    )


# -- the page ----------------------------------------------------------------------------------


def percent(right: list[bool]) -> str:
    return f"{100 * np.mean(right):.1f}"


def accuracy_rows(streams: dict[str, Stream]) -> list[str]:
    header = ["set", "rows", "columns", "classes", Online.name, "exact solutions", "these alone",
              *(method.name for method in METHODS[1:]), "same floats after `solve`"]  # fmt: skip
    rows = [
        [
            name,
            f"{len(stream.rows):,}",
            f"{stream.rows.shape[1]:,}",
            stream.labels.max() + 1,
            percent(stream.runs[0].right),
            stream.runs[0].method.n_solved,
            percent(stream.kept),
            *(percent(run.right) for run in stream.runs[1:]),
            "yes" if is_same(stream) else "**no**",
        ]
        for name, stream in streams.items()
    ]
    return table(header, rows)


def time_rows(streams: dict[str, Stream]) -> list[str]:
    def quantiles(run: Run) -> str:
        median, most = np.percentile(run.took, [50, 99])
        return f"{median:.2g} / {most:.2g} / {max(run.took):.3g}"

    rows = [
        [name, f"{np.mean(stream.runs[0].took):.2g}", *map(quantiles, stream.runs)]
        for name, stream in streams.items()
    ]
    return table(["set", "mean", *(method.name for method in METHODS)], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", metavar="NAME", default=SETS)
    options = parser.parse_args()
    one_thread()
    sets, absent = load(tuple(options.sets))
    found = {
        name: (np.concatenate([d.train, d.test]), np.concatenate([d.train_labels, d.test_labels]))
        for name, d in sets.items()
    }
    streams = {name: learn(name, *shuffled(*given)) for name, given in found.items()}
    write_page(results_folder("scale") / "streams.md", [
        "# Streams: one row in, one answer out",
        "",
        provenance(command_line("scale.streams")),
        "",
        f"Up to {ROWS:,} rows in random order, seed 0. Each is predicted, then learned, by all methods in turn; accuracy "
        "(%) counts every row, from the first. \"These alone\" are the weights of the exact solutions that "
        "`OnlineClassifier` makes, without its updates between them. SGD and recursive least squares (strength 1) "
        "are told all classes before the first row; the others are not.",
        "",
        *(f"- {line}" for line in absent),
        "",
        *accuracy_rows(streams),
        "Processor milliseconds to predict and learn one row, one thread: median / 99% / largest. The largest of "
        "`OnlineClassifier` is an exact solution. The exact classifier answers most rows with weights of up to "
        f"{EVERY - 1} rows ago; its 99% is what solving costs.",
        "",
        *time_rows(streams),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
