"""Metrics of a server of memories; no text and no source is ever the label of a metric."""

from __future__ import annotations

from collections import Counter as Counting
from collections.abc import Iterator
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from faast.serve.jobs.job import Status
from faast.serve.memories.engine import Engine
from faast.serve.memories.folder import MemoryFolder
from faast.serve.memories.jobs import ReadJobs
from faast.serve.metrics import RequestMetrics


class MemoryMetrics(RequestMetrics):
    """Counts of requests, the sizes of all memories, and the texts that wait.

    Parameters
    ----------
    folder : MemoryFolder
    engine : Engine
    jobs : ReadJobs
    """

    def __init__(self, folder: MemoryFolder, engine: Engine, jobs: ReadJobs) -> None:
        super().__init__()
        self._folder, self._engine, self._jobs = folder, engine, jobs
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Measure the memories; Prometheus' registry calls it."""
        tokens = GaugeMetricFamily(
            "faast_memory_tokens", "Tokens that a memory has learned.", labels=["memory"]
        )
        size = GaugeMetricFamily("faast_memory_bytes", "Size of a memory.", labels=["memory"])
        for name, about in self._folder.attached.all().items():
            tokens.add_metric([name], about.tokens)
            size.add_metric([name], about.nbytes)
        yield tokens
        yield size
        jobs = GaugeMetricFamily("faast_jobs", "Texts to read by status.", labels=["status"])
        found = Counting(job.status for job in self._jobs.all())
        for status in get_args(Status):
            jobs.add_metric([status], found[status])
        yield jobs
        yield CounterMetricFamily(
            "faast_generated_tokens", "Tokens that were generated.", self._engine.n_generated
        )
        yield GaugeMetricFamily(
            "faast_waiting_texts", "Texts to generate that wait.", self._engine.waiting
        )
