"""Learn or forget windows of texts, and say in words what was gained and what can be forgotten."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from faast.cli._output import format_value
from faast.cli.lm._texts import with_progress

if TYPE_CHECKING:
    from faast.lm import FaastForCausalLM, MemoryConfig
    from faast.lm.batch import Document

HELD_OUT_SHARE = 10
"""One window in so many, the last ones, is measured before it is learned."""
MOST_HELD_OUT = 64
"""No more windows than this are measured, so that it costs little beside learning."""
NO_GAIN = 0.995
"""Perplexity must fall below this share of what it was to be called a gain."""
BEFORE = "before faast lm learn"
"""Adapter that keeps what the memory had learned before this text."""


class Counts(NamedTuple):
    """Windows and tokens that were read, and the seconds that the model needed for them."""

    windows: int
    tokens: int
    seconds: float

    def plus(self, other: Counts) -> Counts:
        """Return the sums of both."""
        return Counts(
            self.windows + other.windows,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
        )


class Gain(NamedTuple):
    """Perplexity of the last windows of a text, without and with what stands before them."""

    windows: int
    before: float
    after: float


class AllButTheEnd:
    """Windows of a text, of which the last ones are kept back.

    Parameters
    ----------
    windows : iterable of Document

    Attributes
    ----------
    end : list of Document
        The windows that were kept back, once all others have been taken.
    """

    def __init__(self, windows: Iterable[Document]) -> None:
        self._windows = windows
        self.end: Sequence[Document] = ()

    def __iter__(self) -> Iterator[Document]:
        """Yield the windows in front of the end."""
        waiting: deque[Document] = deque()
        n_windows = 0
        for window in self._windows:
            n_windows += 1
            waiting.append(window)
            if len(waiting) > MOST_HELD_OUT:
                yield waiting.popleft()
        while len(waiting) > n_windows // HELD_OUT_SHARE:
            yield waiting.popleft()
        self.end = tuple(waiting)


def learn_windows(
    model: FaastForCausalLM, windows: Iterable[Document], batch_size: int, *, measure: bool
) -> tuple[Counts, Gain | None]:
    """Learn windows in order; measure the last ones before they are learned, if there are enough.

    The memory is the same whether it is measured or not.
    """
    from faast.lm.adapters import DEFAULT

    if measure:
        model.copy_adapter(DEFAULT, BEFORE)
    first = AllButTheEnd(windows)
    early = change_memory(model.learn, model, first, batch_size)
    gain = _measure(model, first.end) if measure and first.end else None
    late = change_memory(model.learn, model, with_progress(first.end, "Learning"), batch_size)
    with model.use_adapter(BEFORE):
        model.reset()
    return early.plus(late), gain


def change_memory(
    change: Callable[..., Any],
    model: FaastForCausalLM,
    windows: Iterable[Document],
    batch_size: int,
) -> Counts:
    """Let a method of a model, learn or forget, take windows in batches.

    Memories that sum hidden states take one window at a time: in a batch, hidden states round
    differently beside other windows, and a text could not be forgotten without its neighbours.
    """
    from faast.lm.documents import pad_documents

    config = model.memory_config
    if config.forgets and config.output is not None:
        batch_size = 1
    n_windows, n_tokens, seconds = 0, 0, 0.0
    for batch in pad_documents(windows, batch_size):
        began = time.perf_counter()
        change(**batch.to(model.device)._asdict())
        seconds += time.perf_counter() - began
        n_windows += len(batch.input_ids)
        n_tokens += batch.n_tokens
    return Counts(n_windows, n_tokens, seconds)


def _measure(model: FaastForCausalLM, windows: Sequence[Document]) -> Gain:
    from faast.evaluation.lm.perplexity import answer_perplexity
    from faast.lm.batch import Document

    held_out = [Document(*(part.to(model.device) for part in window)) for window in windows]
    with model.use_adapter(BEFORE):
        before = answer_perplexity(model, with_progress(held_out, "Measuring before"))
    after = answer_perplexity(model, with_progress(held_out, "Measuring after"))
    return Gain(len(held_out), before, after)


def describe_gain(gain: Gain | None) -> str:
    """Say what learning gained."""
    if gain is None:
        return (
            "The text is too short to measure what learning it gained: the last tenth of its "
            f"windows is held out for that, and it has fewer than {HELD_OUT_SHARE} windows; try a "
            "smaller --window."
        )
    measured = (
        f"On the last {gain.windows} windows of the text, before they were learned: "
        f"perplexity {format_value(gain.before)} before, {format_value(gain.after)} after learning "
        "the rest (lower is better)."
    )
    if gain.after < NO_GAIN * gain.before:
        return measured
    return f"{measured} Learning gained nothing on them: the text may repeat little."


def describe_forgetting(config: MemoryConfig) -> str:
    """Say whether a memory can forget a text, and how."""
    if config.forgets:
        return (
            "This memory can forget any of its texts: its sums and counts become exactly what they "
            "would be without it. See 'faast lm forget --help'."
        )
    return (
        "This memory cannot forget a single text: learn again without it, or learn with "
        "--memory pseudoinverse or --memory recall, which can."
    )
