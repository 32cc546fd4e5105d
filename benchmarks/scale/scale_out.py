"""Learning on Ray beside one process: the same file, what it costs, and what 100 machines cost.

Run ``python -m benchmarks.scale.scale_out [--repeats 3]``; it writes results/scale/scale_out.md. Ways take
turns on one machine, every worker and the one process with one thread; of each the fastest turn is
reported, which other work on the machine disturbs least.
"""

from __future__ import annotations

import argparse
import copy
import csv
import hashlib
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, log2
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import provenance, size, table
from faast import FaastClassifier, TextClassifier
from faast._utils.ray_session import session
from faast.core.feature_rows import room_for
from faast.data import open_rows
from faast.distributed.partial_state import PartialState
from faast.distributed.partitions import PARTITION_ROWS, Partition, split_batches
from faast.distributed.run import learn_partitions
from faast.encoders import Encoder, load_encoder
from faast.estimators.batches import encode_batches
from faast.estimators.memory import SELECTION_ROWS
from faast.evaluation.measure import one_thread

WAYS = {"one process": 0, "Ray, 1 worker": 1, "Ray, 2 workers": 2, "Ray, 2, one killed": 2}
CLASSES = 10
WIDTHS = (128, 384, 1024)
ROWS, MACHINES, BYTES_A_SECOND = 100_000_000, 100, 1.25e9


# -- one machine -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Set:
    """Texts to be learned through an encoder, in parts of some rows."""

    encoder: str
    n_rows: int
    part_rows: int
    options: dict[str, int]

    def load(self) -> Encoder:
        return load_encoder(self.encoder, **self.options)

    def write(self, path: Path) -> None:
        """Write sentences of made-up words, of which each class prefers some."""
        rng = np.random.default_rng(0)
        codes = rng.integers(0, CLASSES, self.n_rows)
        words = rng.integers(0, 400, (self.n_rows, 6)) + 40 * codes[:, None]
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["text", "label"])
            for code, row in zip(codes.tolist(), words.tolist(), strict=True):
                rows.writerow([" ".join(f"word{n}" for n in row), f"class {code}"])


SETS = [
    Set("hashing", 6 * 8192, 8192, {"n_features": 128}),
    Set("minilm", 6 * 1024, 1024, {}),
]


def learn(ray: Any, way: str, model: TextClassifier, path: Path, part_rows: int) -> float:
    """Learn a file; return the seconds from the first row to all sums."""
    started = time.perf_counter()
    if way == "one process":
        for features, labels in encode_batches(open_rows(path), model.encode_to_learn):
            model.partial_fit_encoded(features, labels, model.embed_names(labels))
    else:
        parts = split_batches(open_rows(path), part_rows)
        if "killed" in way:
            parts = killing(parts)
        learn_partitions(ray, model, parts, WAYS[way])
    return time.perf_counter() - started


def killing(parts: Iterator[Partition]) -> Iterator[Partition]:
    """Kill a worker half-way: two hold four parts, so one is done when the sixth is read."""
    for part in parts:
        if part.index == 5:
            workers = psutil.Process().children(recursive=True)
            learning = [w.pid for w in workers if "".join(w.cmdline()).startswith("ray::Worker")]
            os.kill(learning[0], 9)
        yield part


def digest(model: TextClassifier, folder: Path) -> str:
    model.save(folder / "model")
    return hashlib.sha256((folder / "model").read_bytes()).hexdigest()


def on_one_machine(ray: Any, data: Set, repeats: int, folder: Path) -> Iterator[list[object]]:
    path = folder / f"{data.encoder}.csv"
    data.write(path)
    encoder = data.load()
    turns: dict[str, list[float]] = {way: [] for way in WAYS}
    digests = {}
    for repeat in range(repeats):
        for way in WAYS:
            model = TextClassifier(encoder)
            turns[way].append(learn(ray, way, model, path, data.part_rows))
            if not repeat:
                digests[way] = digest(model, folder)
    alone = min(turns["one process"])
    for way in WAYS:
        seconds = min(turns[way])
        yield [
            f"{data.encoder}, {data.n_rows:,} × {encoder.n_features}",
            way,
            f"{seconds:.1f}",
            f"{seconds / alone:.2f}",
            "yes" if digests[way] == digests["one process"] else "**no**",
        ]


# -- what a part leaves --------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """Of a part: seconds to learn its encoded rows, to merge what they left, and its bytes."""

    n_features: int
    learn: float
    merge: float
    bytes: int

    @classmethod
    def measure(cls, n_features: int, repeats: int) -> Cost:
        rng = np.random.default_rng(0)
        rows = rng.standard_normal((PARTITION_ROWS, n_features), dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        labels = rng.integers(0, CLASSES, PARTITION_ROWS)
        runs = [timed(lambda: learned_part(rows, labels)) for _ in range(repeats)]
        partial = runs[0][1]
        other = copy.deepcopy(partial)
        merges = [timed(lambda: partial.merge(other))[0] for _ in range(repeats)]
        learn = min(seconds for seconds, _ in runs)
        return cls(n_features, learn, min(merges), len(pickle.dumps(partial, 5)))

    @property
    def predicted(self) -> int:
        """Bytes of the Gram matrix, of the sampled rows, and of those rounded for random features.

        A rounded row has a byte a feature, and 20 for its class, weight and hash.
        """
        d = self.n_features
        kept = min(PARTITION_ROWS, room_for(d))
        return 8 * d**2 + SELECTION_ROWS * 4 * (d + CLASSES) + kept * (d + 20)


def learned_part(rows: np.ndarray, labels: np.ndarray) -> PartialState:
    return PartialState.of(FaastClassifier().fit(rows, labels))


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


# -- the cost model ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prediction:
    """Seconds and bytes of one of many machines, of one worker each."""

    sums: float
    merges: float
    bytes: float

    @classmethod
    def of(cls, cost: Cost, n_rows: int, machines: int) -> Prediction:
        parts = n_rows / PARTITION_ROWS / machines
        merges = parts + ceil(log2(machines))
        seconds = cost.merge + cost.bytes / BYTES_A_SECOND
        return cls(parts * cost.learn, merges * seconds, merges * cost.bytes)


def report(machine: list[list[object]], started: float, costs: list[Cost], repeats: int) -> str:
    lines = [
        "# Learning on Ray",
        "",
        provenance(f"python -m benchmarks.scale.scale_out --repeats {repeats}"),
        "",
        "## One machine",
        "",
        "Seconds from the first row to all sums (solving, the same in every way, is left out); one "
        "process and each worker use one thread. Starting workers is counted: each is a new "
        f"process that imports the library. Starting Ray itself took {started:.1f} s, once. "
        f"Same file: the saved model is that of one process, byte for byte. The fastest of "
        f"{repeats} turns.",
        "",
        *table(["rows", "way", "seconds", "to one process", "same file"], machine),
        "## What a part leaves",
        "",
        f"{PARTITION_ROWS:,} unit rows of d features in {CLASSES} classes, already encoded, one "
        "thread. Bytes are what a worker sends; predicted are those of the Gram matrix, of the sampled "
        "rows and of the rows rounded for random features. They do not grow with more rows.",
        "",
        *table(
            ["d", "learn, s", "merge two, s", "merge / learn", "sent", "predicted"],
            [
                [
                    cost.n_features,
                    f"{cost.learn:.2f}",
                    f"{cost.merge:.2f}",
                    f"{cost.merge / cost.learn:.0%}",
                    size(cost.bytes),
                    size(cost.predicted),
                ]
                for cost in costs
            ],
        ),
        f"## {MACHINES} machines, on paper",
        "",
        f"Computed from the table above, not measured: {ROWS:,} encoded rows, one worker a "
        f"machine, {BYTES_A_SECOND / 1e9:.2f} GB/s between machines (assumed). A worker learns "
        "N / (W P) parts of P rows, and takes part in about as many merges and log₂ W more, each "
        "of S bytes sent and added. Encoding comes on top, divided by W like the sums; merging "
        "weighs less the slower the encoder is, and the larger `partition_rows`.",
        "",
        *table(
            ["d", "sums, s", "merges, s", "merged by a worker", "time in merges"],
            [
                [
                    cost.n_features,
                    f"{paper.sums:.0f}",
                    f"{paper.merges:.0f}",
                    size(paper.bytes),
                    f"{paper.merges / (paper.sums + paper.merges):.0%}",
                ]
                for cost in costs
                for paper in [Prediction.of(cost, ROWS, MACHINES)]
            ],
        ),
    ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    one_thread()
    costs = [Cost.measure(n_features, repeats) for n_features in WIDTHS]
    began = time.perf_counter()
    with session() as ray, tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter() - began
        machine = [row for data in SETS for row in on_one_machine(ray, data, repeats, Path(folder))]
    (results_folder("scale") / "scale_out.md").write_text(report(machine, started, costs, repeats))


if __name__ == "__main__":
    main()
