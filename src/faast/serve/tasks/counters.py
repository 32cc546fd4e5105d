"""What happens to tasks, counted since the process started, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import Counter, Histogram

from faast.serve.tasks.records import Step

NOVEL = 0.05
"""A row is counted as novel if fewer of the learned rows than this share are as unusual."""

SOLVE_SECONDS = Histogram(
    "faast_solve_seconds",
    "Time to solve the weights after a change.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
    registry=None,
)

_LEARNED = Counter("faast_rows_learned", "Rows that were learned.", ["task"], registry=None)
_FORGOTTEN = Counter("faast_rows_forgotten", "Rows that were forgotten.", ["task"], registry=None)
_MEASURED = Counter(
    "faast_rows_measured", "Rows asked about whose novelty was measured.", ["task"], registry=None
)
_NOVEL = Counter(
    "faast_novel_rows", f"Those among them with a p-value below {NOVEL}.", ["task"], registry=None
)

COUNTERS = (SOLVE_SECONDS, _LEARNED, _FORGOTTEN, _MEASURED, _NOVEL)


def count_change(task: str, steps: Sequence[Step]) -> None:
    """Count the rows that a change learned and forgot; a row that was corrected is neither."""
    learned = sum(step.old.label is None and step.new.label is not None for step in steps)
    forgotten = sum(step.old.label is not None and step.new.label is None for step in steps)
    _LEARNED.labels(task).inc(learned)
    _FORGOTTEN.labels(task).inc(forgotten)


def count_novelty(task: str, p_values: Iterable[float | None]) -> None:
    """Count rows whose novelty was measured, and those among them that are novel."""
    measured = [value for value in p_values if value is not None]
    _MEASURED.labels(task).inc(len(measured))
    _NOVEL.labels(task).inc(sum(value < NOVEL for value in measured))
