"""Ask and teach `faast serve` beside other servers, and write results/serve.md.

Run ``python -m benchmarks.serve [--mlserver PYTHON] [--quick]``. PYTHON is the interpreter of an
environment with mlserver and faast; without it, MLServer is left out. All servers run at the same
time, encode texts with the same hashing encoder, and are asked in turns.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import httpx
import numpy as np

from benchmarks._lib.paths import DATA, RESULTS
from benchmarks._lib.report import provenance, table, write_page
from benchmarks.serve.client import Load, load
from benchmarks.serve.servers import TASK, Server, faast_server, lit_server, ml_server
from faast.encoders.hashing import HashingEncoder

N_FEATURES = 384
N_ROWS = 1_000
BATCHES = (1, 64)
CONNECTIONS = (1, 8, 32)
TURNS = 5
SECONDS = 3.0
CHANGES = 50
OURS = "faast serve"

Loads = dict[tuple[str, int, int], list[Load]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlserver", metavar="PYTHON")
    parser.add_argument("--quick", action="store_true", help="to results/quick")
    given = parser.parse_args()
    with (DATA / "text" / "trec_train.csv").open(encoding="utf-8") as stream:
        texts, labels = zip(*list(csv.reader(stream))[1:], strict=True)
    learned = list(texts[:N_ROWS]), list(labels[:N_ROWS])
    new = list(texts[N_ROWS:])
    encoder = HashingEncoder(n_features=N_FEATURES)
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)]
        servers = {
            OURS: stack.enter_context(faast_server(folders[0], encoder, *learned)),
            "LitServe": stack.enter_context(lit_server(folders[1], encoder, *learned)),
        }
        if given.mlserver:
            servers["MLServer"] = stack.enter_context(
                ml_server(folders[2], encoder, *learned, given.mlserver)
            )
        loads = measure_asking(servers, new, 1 if given.quick else TURNS)
        acknowledged, known = measure_teaching(servers[OURS], new, 10 if given.quick else CHANGES)
        limits = measure_limits(folders[0], encoder, new)
    folder = RESULTS / "quick" if given.quick else RESULTS
    folder.mkdir(exist_ok=True)
    command = "python -m benchmarks.serve --mlserver PYTHON" + (" --quick" if given.quick else "")
    write_page(
        folder / "serve.md", page(loads, list(servers), acknowledged, known, limits, command)
    )


def measure_asking(servers: dict[str, Server], texts: list[str], turns: int) -> Loads:
    """Ask every server in turns, over several connections, for one text and for many."""
    loads: Loads = defaultdict(list)
    for server in servers.values():
        load(server.ask(texts[:1]), 4, 1.0)  # warm up
    for _, batch, connections in product(range(turns), BATCHES, CONNECTIONS):
        for name, server in servers.items():
            found = load(server.ask(texts[:batch]), connections, SECONDS)
            loads[name, batch, connections].append(found)
    return loads


def measure_teaching(
    server: Server, texts: list[str], n_changes: int
) -> tuple[list[float], list[float]]:
    """Return the seconds of acknowledging a row, and from there to an answer that knows it."""
    acknowledged, known = [], []
    rows = f"{server.address}/v1/tasks/{TASK}/rows"
    with httpx.Client(timeout=60) as client:
        for text in texts[:n_changes]:
            started = time.perf_counter()
            client.post(rows, json={"rows": [{"text": text, "label": "new"}]}).raise_for_status()
            acknowledged.append(time.perf_counter() - started)
            started = time.perf_counter()
            call = server.ask([text])
            client.post(call.address, json=call.body).raise_for_status()
            known.append(time.perf_counter() - started)
    return acknowledged, known


def measure_limits(folder: Path, encoder: HashingEncoder, texts: list[str]) -> dict[str, list[float]]:  # fmt: skip
    """Return the seconds of what no server can avoid: encoding, and bringing a page to the disk."""
    encoded = _times(lambda i: encoder.encode(texts[i : i + 1]))
    many = _times(lambda i: encoder.encode(texts[i : i + 64]))
    with (folder / "page").open("wb") as stream:

        def sync(i: int) -> None:
            stream.write(bytes(4096))
            stream.flush()
            os.fsync(stream.fileno())

        synced = _times(sync)
    return {"encoding one text": encoded, "encoding 64 texts": many, "fsync of 4 kB": synced}


def _times(action: Callable[[int], object]) -> list[float]:
    times = []
    for i in range(200):
        started = time.perf_counter()
        action(i)
        times.append(time.perf_counter() - started)
    return times


def page(
    loads: Loads,
    names: list[str],
    acknowledged: list[float],
    known: list[float],
    limits: dict[str, list[float]],
    command: str,
) -> list[str]:
    """Return the page."""
    asking = [
        [
            batch,
            connections,
            *(
                f"{_rate(loads[name, batch, connections]):,.0f} ({_percentiles(_latencies(loads[name, batch, connections]))})"
                for name in names
            ),
        ]
        for batch, connections in product(BATCHES, CONNECTIONS)
    ]
    changes = [
        ["teaching a row, until it is acknowledged", _percentiles(acknowledged)],
        ["from there until an answer knows it", _percentiles(known)],
        *([what, _percentiles(times)] for what, times in limits.items()),
    ]
    return [
        "# Serving",
        "",
        f"`faast serve` beside servers of a logistic regression of the same {N_FEATURES} hashed features of "
        f"{N_ROWS:,} TREC questions. The servers run at the same time, on the cores that the clients use too, and "
        f"are asked in turns, {TURNS} times {SECONDS:g} s each. `faast serve` answers all class probabilities and "
        "the runner-up, the others label and probabilities.",
        "",
        "## Asking: requests a second (p50 / p99 in ms)",
        "",
        *table(["texts a request", "connections", *names], asking),
        f"## Teaching {N_ROWS:,} rows and more, in ms (p50 / p99)",
        "",
        *table(["what", "ms"], changes),
        provenance(command),
    ]


def _rate(loads: list[Load]) -> float:
    return float(np.median([len(one.latencies) / one.seconds for one in loads]))


def _latencies(loads: list[Load]) -> list[float]:
    return [latency for one in loads for latency in one.latencies]


def _percentiles(seconds: list[float]) -> str:
    return " / ".join(f"{1e3 * np.percentile(seconds, q):.3g}" for q in (50, 99))


if __name__ == "__main__":
    main()
