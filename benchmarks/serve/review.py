"""How long a page waits for what a task says of its rows, as rows are taught.

Run ``python -m benchmarks.serve.review [--shared FOLDER]``; it writes results/serve_review.md. The
shared folder holds text/trec_train.csv.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from benchmarks._lib.paths import DATA, RESULTS
from benchmarks._lib.report import command_line, provenance, table, write_page
from faast.evaluation.measure import one_thread
from faast.serve import create_app

SIZES = (300, 1_000, 3_000)
WAITING = 1_000
BATCH = 500
TASK = "/v1/tasks/questions"

QUESTION = "where is the longest river ?"
ASKED: dict[str, tuple[str, str, Any]] = {
    "ask": ("POST", "ask", {"texts": [QUESTION]}),
    "accuracy and confusion": ("GET", "evaluation", None),
    "curve over rows taught": ("GET", "evaluation/curve", None),
    "suspects": ("GET", "suspects", None),
    "next 10 rows": ("GET", "next?n=10", None),
    "explain, with novelty": ("POST", "explain", {"text": QUESTION}),
}
"""Routes, in the order in which they are asked: the first one solves the weights."""


def seconds(client: TestClient, method: str, path: str, body: Any) -> float:
    """Return the processor time until a route has answered."""
    before = time.process_time()
    client.request(method, f"{TASK}/{path}", json=body).raise_for_status()
    return time.process_time() - before


def fill(client: TestClient, rows: list[dict[str, str]], n: int) -> None:
    """Teach n rows, and add others that wait for a label."""
    client.post("/v1/tasks", json={"name": "questions"}).raise_for_status()
    waiting = [{"text": row["text"]} for row in rows[n : n + WAITING]]
    for part in (rows[:n], waiting):
        for start in range(0, len(part), BATCH):
            batch = {"rows": part[start : start + BATCH]}
            client.post(f"{TASK}/rows", json=batch).raise_for_status()


def measure(rows: list[dict[str, str]], n: int) -> dict[str, list[float]]:
    """Return, for each route, the time at first, after one more row, and of the same state."""
    found: dict[str, list[float]] = {name: [] for name in ASKED}
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Path(folder))
        with TestClient(app, base_url="http://127.0.0.1:8000") as client:
            fill(client, rows, n)
            for name, asked in ASKED.items():
                found[name].append(seconds(client, *asked))
            one = {"rows": [{"text": "who made the wheel ?", "label": "human"}]}
            client.post(f"{TASK}/rows", json=one).raise_for_status()
            for name, asked in ASKED.items():
                found[name].append(seconds(client, *asked))
            for name, asked in ASKED.items():
                found[name].append(seconds(client, *asked))
    return found


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=DATA)
    options = parser.parse_args()
    one_thread()
    with (options.shared / "text" / "trec_train.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    measured = {n: measure(rows, n) for n in SIZES}
    lines = [
        [name, *(" / ".join(f"{time:.2f}" for time in measured[n][name]) for n in SIZES)]
        for name in ASKED
    ]
    page = [
        "# What a page waits for",
        "",
        provenance(command_line("serve.review")),
        "",
        f"Questions of TREC, `hashing` (2,048 features), {WAITING:,} rows that wait for a label. Seconds of "
        "processor time until a route of `faast serve` has answered, asked in this order: at first / after one "
        "more row was taught / again. `ask` solves the weights of a new state, the others find them solved.",
        "",
        *table(["", *(f"{n:,} rows" for n in SIZES)], lines),
    ]
    write_page(RESULTS / "serve_review.md", page)
    print("\n".join(page))


if __name__ == "__main__":
    main()
