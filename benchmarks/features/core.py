"""Moments and solvers beside other ways to the same weights: time, memory, error.

Every figure of a method is taken in a new process with one thread; methods take turns; medians are reported.
Run ``make bench``, or ``python -m benchmarks.features.core [--repeats 3]``; it writes results/features/core.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import provenance, table, write_page
from faast.evaluation.measure import SLOW_SECONDS, in_new_process, one_thread, time_in_turns

ALPHA = 0.8
CONDITION = 1e4


@dataclass(frozen=True)
class Size:
    rows: int
    features: int
    values: int
    streamed: bool = False

    def __str__(self):
        return f"{self.rows:,}×{self.features}×{self.values}" + (" from disk" * self.streamed)


SIZES = [
    Size(160, 512, 10),
    Size(2_000, 768, 100),
    Size(50_000, 512, 10),
    Size(50_000, 1_024, 1_024),
    Size(1_000_000, 256, 20, streamed=True),
]


# -- data: unit rows with a power-law spectrum of a given condition number --------------------


def make_rows(size, seed=0):
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(7).standard_normal((size.features,) * 2))[0]
    ranks = np.arange(1, size.features + 1)
    mix = (ranks ** -(np.log(CONDITION) / np.log(size.features)))[:, None] * turn
    rows = rng.standard_normal((size.rows, size.features), dtype=np.float32) @ mix.astype("f4")
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def make_values(size, seed=1):
    rng = np.random.default_rng(seed)
    if size.values > 100:
        values = rng.standard_normal((size.rows, size.values), dtype=np.float32)
        return values / np.linalg.norm(values, axis=1, keepdims=True)
    return np.eye(size.values, dtype=np.float32)[rng.integers(0, size.values, size.rows)]


# -- the ways ----------------------------------------------------------------------------------


def ours(keys, values):
    from faast import AssociativeMemory, PseudoInverse

    return AssociativeMemory(PseudoInverse(alpha=ALPHA)).learn(keys, values).weights.matrix


def ours_bare(keys, values):
    """Without the sample of rows, which selection and checked forgetting need."""
    from faast import AssociativeMemory, PseudoInverse

    memory = AssociativeMemory(PseudoInverse(alpha=ALPHA), selection_rows=0)
    return memory.learn(keys, values).weights.matrix


def authors(keys, values):
    """All keys stacked, one pseudo-inverse of them."""
    import torch

    stacked = torch.from_numpy(np.array(keys))
    inverse = torch.linalg.pinv(stacked, rtol=len(keys) ** -ALPHA)
    return (inverse @ torch.from_numpy(np.array(values))).numpy()


def float32_gram(keys, values, block=8192):
    gram = np.zeros((keys.shape[1],) * 2, np.float32)
    cross = np.zeros((keys.shape[1], values.shape[1]), np.float32)
    for start in range(0, len(keys), block):
        rows = np.asarray(keys[start : start + block])
        gram += rows.T @ rows
        cross += rows.T @ np.asarray(values[start : start + block])
    w, basis = np.linalg.eigh(gram.astype(np.float64))
    kept = w > w[-1] * len(keys) ** (-2 * ALPHA)
    return basis[:, kept] / w[kept] @ (basis[:, kept].T @ cross)


def ridge_cv(keys, values):
    from sklearn.linear_model import RidgeCV

    return RidgeCV(alphas=np.logspace(-3, 3, 7)).fit(keys, values).coef_.T


METHODS = {
    "ours": ours,
    "ours, no rows kept": ours_bare,
    "authors' way": authors,
    "float32 Gram": float32_gram,
    "RidgeCV": ridge_cv,
}


def reference(keys, values, block=20_000):
    """Float64 orthogonal triangularisation in blocks, then a singular value decomposition."""
    triangle = np.zeros((0, keys.shape[1]))
    targets = np.zeros((0, values.shape[1]))
    for start in range(0, len(keys), block):
        rows = np.vstack([triangle, np.asarray(keys[start : start + block], np.float64)])
        goals = np.vstack([targets, np.asarray(values[start : start + block], np.float64)])
        orthogonal, triangle = np.linalg.qr(rows)
        targets = orthogonal.T @ goals
    left, singular, right = np.linalg.svd(triangle, full_matrices=False)
    kept = singular > singular[0] * len(keys) ** -ALPHA
    return right[kept].T / singular[kept] @ (left[:, kept].T @ targets)


# -- one measurement, in a process of its own ------------------------------------------------


class Run(NamedTuple):
    """What one run of a method took, and the relative error of its predictions of held-out rows."""

    seconds: float
    extra_mb: float
    error: float


def measure(method, size, folder):
    keys, values = load_data(size, folder)
    solve = METHODS[method]
    solve(keys[:300], values[:300])  # imports
    forget_peak_memory()
    before = peak_memory_mb()
    started = time.perf_counter()
    weights = solve(keys, values)
    seconds = time.perf_counter() - started
    extra = peak_memory_mb() - before
    if size.rows < 5_000:  # too short to time once; and pages of the heap shall be there, as they
        np.ones(3 << 20)  # are in any process that has held larger arrays before
        spent = []
        for _ in range(15):
            started = time.perf_counter()
            solve(keys, values)
            spent.append(time.perf_counter() - started)
        seconds = median(spent)
    if method == "RidgeCV":
        return Run(seconds, extra, np.nan)  # its own model
    exact = np.load(folder / f"{size.rows}x{size.features}x{size.values}.npy")
    queries = make_rows(Size(2_000, size.features, 1), seed=99)
    error = np.linalg.norm(queries @ (weights - exact)) / np.linalg.norm(queries @ exact)
    return Run(seconds, extra, float(error))


def forget_peak_memory():
    """Let the kernel count the peak of this process from here on (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def load_data(size, folder):
    names = [folder / f"{part}_{size.rows}x{size.features}x{size.values}.npy" for part in "kv"]
    mode = "r" if size.streamed else None
    return tuple(np.load(name, mmap_mode=mode) for name in names)


def write_data(size, folder):
    stem = f"{size.rows}x{size.features}x{size.values}.npy"
    keys, values = make_rows(size), make_values(size)
    np.save(folder / f"k_{stem}", keys)
    np.save(folder / f"v_{stem}", values)
    np.save(folder / stem, reference(keys, values))


# -- ratios, side by side in one process -------------------------------------------------------


def bare_products(keys, values):
    """Run the products and the decomposition that any such method needs, in float64."""
    import scipy.linalg
    from scipy.linalg.blas import dgemm, dsyrk

    gram = dsyrk(1.0, keys.T)
    dgemm(1.0, keys.T, values.T, trans_b=1)
    scipy.linalg.eigh(gram, lower=False, driver="evd", overwrite_a=True, check_finite=False)


def overhead(repeats):
    size = Size(50_000, 1_024, 1_024)
    keys, values = make_rows(size), make_values(size)
    keys64, values64 = keys.astype(np.float64), values.astype(np.float64)
    bare_products(keys64[:2000], values64[:2000])
    ours(keys[:2000], values[:2000])
    spent = {"bare": [], "ours": [], "no rows": []}
    for _ in range(repeats):
        for name, call in {
            "bare": lambda: bare_products(keys64, values64),
            "ours": lambda: ours(keys, values),
            "no rows": lambda: ours_bare(keys, values),
        }.items():
            started = time.perf_counter()
            call()
            spent[name].append(time.perf_counter() - started)
    return {
        name: (median(s / b for s, b in zip(seconds, spent["bare"], strict=True)), median(seconds))
        for name, seconds in spent.items()
    }


def prediction_ratio():
    """Prediction after 1,000,000 rows over prediction after 1,000, for a fixed solver."""
    from faast import FaastClassifier, Ridge

    models = {}
    for rows in (1_000, 1_000_000):
        model = FaastClassifier(Ridge(1e-3))
        for start in range(0, rows, 50_000):
            size = Size(min(rows, 50_000), 256, 20)
            model.partial_fit(make_rows(size, start), make_values(size, start).argmax(axis=1))
        models[rows] = model
    queries = make_rows(Size(256, 256, 1), seed=5)
    calls = {str(rows): partial(model.predict, queries) for rows, model in models.items()}
    few, many = time_in_turns(calls, 2000).values()
    return many / few, few


def import_seconds(repeats=7):
    """Seconds that importing faast takes beyond importing scikit-learn's estimators."""
    base = "import sklearn.base, sklearn.utils.validation, sklearn.utils.multiclass"
    code = f"{base}; import time; t = time.perf_counter(); import faast; print(time.perf_counter() - t)"
    return median(
        float(
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(repeats)
    )


# -- the report --------------------------------------------------------------------------------


def collect(sizes, repeats, folder):
    found = defaultdict(list)
    for size in sizes:
        print(f"{size}: data and reference", file=sys.stderr)
        in_new_process(write_data, size, folder)
        for turn in range(repeats):
            for method in METHODS:
                if method == "RidgeCV" and size.rows * (size.features + size.values) > 3e7:
                    continue  # minutes a run
                runs = found[size, method]
                if not any(run.seconds > SLOW_SECONDS for run in runs):
                    print(f"{size}: {method} {turn + 1}/{repeats}", file=sys.stderr)
                    runs.append(in_new_process(measure, method, size, folder))
        for file in folder.glob("*.npy"):
            file.unlink()
    return {point: Run(*map(median, zip(*runs, strict=True))) for point, runs in found.items()}


def page(found, repeats):
    rows = [
        (
            size,
            method,
            f"{run.seconds:.4g}",
            f"{run.seconds / found[size, 'ours'].seconds:.2f}",
            f"{run.extra_mb:.0f}",
            "" if np.isnan(run.error) else f"{run.error:.0e}",
        )
        for (size, method), run in found.items()
    ]
    ratios = in_new_process(overhead, repeats + 2)
    prediction, latency = in_new_process(prediction_ratio)
    few = found[SIZES[0], "ours"].seconds
    return [
        "# Core: moments and solvers beside other ways to the same weights",
        "",
        f"{provenance(f'python -m benchmarks.features.core --repeats {repeats}')} Medians of {repeats} runs a "
        f"method, one where it takes over {SLOW_SECONDS:g} s, taking turns, each in a new process; single times vary "
        "with the machine, the ratios less.",
        "",
        "Unit float32 rows of condition 1e4, filter N^-0.8 (RidgeCV: 7 strengths, its own model). Small problems: "
        "median of 15 calls in a process that has held larger arrays before. Error: of held-out predictions against "
        "a float64 decomposition with the same filter. Extra memory counts the pages of a mapped file (1,024 MB for "
        "the streamed rows).",
        "",
        *table(
            ("N × d × m", "method", "seconds", "times ours", "extra memory (MB)", "error"), rows
        ),
        f"- 50,000×1024×1024, learning and solving over one bare float64 dsyrk + dgemm + eigh of that size "
        f"({ratios['bare'][1]:.2f} s), in turns in one process: **{ratios['no rows'][0]:.2f}** without kept rows "
        f"({ratios['no rows'][1]:.2f} s; target 1.15), **{ratios['ours'][0]:.2f}** with them "
        f"({ratios['ours'][1]:.2f} s; target 1.3). The products alone are {2 * 50_000 * 1024 * 1.5 * 1024 / 1e9:.0f} "
        "GFLOP. What is above 1 is rounding to the grid, checking and summing columns, and hashing and keeping 4,096 "
        "wide rows; more threads speed up the products more than these.",
        f"- 160×512×10 from rows to weights: **{few * 1e3:.2f} ms**.",
        f"- Prediction of 256 rows after 1,000,000 learned rows over after 1,000, fixed solver: "
        f"**{prediction:.3f}** ({latency * 1e6:.0f} µs).",
        f"- `import faast` beyond scikit-learn: **{import_seconds():.2f} s**.",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    one_thread()
    with tempfile.TemporaryDirectory() as folder:
        found = collect(SIZES, repeats, Path(folder))
    write_page(results_folder("features") / "core.md", page(found, repeats))


if __name__ == "__main__":
    main()
