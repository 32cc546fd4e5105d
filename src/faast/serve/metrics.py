"""Metrics in Prometheus' format; no label or text of a row is ever the label of a metric."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faast.serve.tasks.folder import TaskFolder

NO_ROUTE = "none"
"""Stands for the route of requests that were refused before one was found."""


class Metrics:
    """Counts of requests, and the sizes of all tasks.

    Parameters
    ----------
    folder : TaskFolder
    """

    def __init__(self, folder: TaskFolder) -> None:
        self._folder = folder
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "faast_requests", "Requests answered.", ["route", "code"], registry=self._registry
        )
        self._seconds = Histogram(
            "faast_request_seconds", "Time to an answer.", ["route"], registry=self._registry
        )
        self._registry.register(self)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Measure the tasks; Prometheus' registry calls it."""
        rows = GaugeMetricFamily("faast_rows", "Rows that are learned.", labels=["task"])
        classes = GaugeMetricFamily("faast_classes", "Classes.", labels=["task"])
        size = GaugeMetricFamily("faast_state_bytes", "Memory of what is learned.", labels=["task"])
        for task in self._folder.tasks:
            state = task.state
            rows.add_metric([task.name], state.n_rows)
            classes.add_metric([task.name], len(state.classes))
            size.add_metric([task.name], state.nbytes)
        yield from (rows, classes, size)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class CountRequests:
    """ASGI middleware that counts requests by their route and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
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
                self.metrics.count(route, message["status"], time.perf_counter() - started)
            await send(message)

        await self.app(scope, receive, send_and_count)
