"""Metrics in Prometheus' format; no label or text of a row is ever the label of a metric."""

from __future__ import annotations

import time
from collections import Counter as Counting
from collections.abc import Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.core import GaugeMetricFamily
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faast._version import __version__
from faast.serve.jobs.job import Status
from faast.serve.jobs.jobs import Jobs
from faast.serve.tasks.counters import COUNTERS
from faast.serve.tasks.folder import TaskFolder, look_at
from faast.serve.tasks.task import Task

NO_ROUTE = "none"
"""Stands for the route of requests that were refused before one was found."""

METHODS = ("GET", "POST", "PATCH", "DELETE")
"""Methods that routes have; others are counted as one, so that nobody can invent metrics."""

SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Upper ends of the intervals in which times to an answer are counted."""


class RequestMetrics:
    """Counts of requests, and the version of this package."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._requests = Counter(
            "faast_requests", "Requests answered.", ["method", "route", "code"], registry=registry
        )
        self._seconds = Histogram(
            "faast_request_duration_seconds",
            "Time to an answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.in_progress = Gauge(
            "faast_requests_in_progress", "Requests that are being answered.", registry=registry
        )
        Info("faast_build", "The version of faast.", registry=registry).info(
            {"version": __version__}
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        method = method if method in METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class Metrics(RequestMetrics):
    """Counts of requests, the sizes of all tasks, and what happens to them.

    Parameters
    ----------
    folder : TaskFolder
    jobs : Jobs, optional
    """

    def __init__(self, folder: TaskFolder, jobs: Jobs | None = None) -> None:
        super().__init__()
        self._folder = folder
        self._jobs = jobs
        for counter in (self, *COUNTERS):
            self.registry.register(counter)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Measure the tasks and count the jobs; Prometheus' registry calls it."""
        rows = _of_tasks("faast_rows", "Rows that are learned.")
        waiting = _of_tasks("faast_waiting_rows", "Rows that wait for a label.")
        classes = _of_tasks("faast_classes", "Classes.")
        size = _of_tasks("faast_state_bytes", "Memory of what is learned.")
        families = rows, waiting, classes, size
        for name, *values in look_at(self._folder.tasks, _sizes):
            for family, value in zip(families, values, strict=True):
                family.add_metric([name], value)
        yield from families
        if self._jobs is not None:
            found = Counting(job.status for job in self._jobs.list())
            jobs = GaugeMetricFamily("faast_jobs", "Uploads by their status.", labels=["status"])
            for status in get_args(Status):
                jobs.add_metric([status], found[status])
            yield jobs


def _sizes(task: Task) -> tuple[str, int, int, int, int]:
    """Return the name of a task, and its numbers of rows, waiting rows, classes and bytes."""
    state = task.state
    return task.name, state.n_rows, task.waiting, len(task.classes), state.nbytes


def _of_tasks(name: str, what: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, labels=["task"])


class CountRequests:
    """ASGI middleware that counts requests by their method, route and status."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", NO_ROUTE)
                seconds = time.perf_counter() - started
                self.metrics.count(scope["method"], route, message["status"], seconds)
            await send(message)

        with self.metrics.in_progress.track_inprogress():
            await self.app(scope, receive, send_and_count)
