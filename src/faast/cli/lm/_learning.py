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

ASKED_SHARE = 10
"""One window in so many is asked before it is learned: the last ones."""
MOST_ASKED = 64
"""No more windows than this are asked, so that asking costs little beside learning."""
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
            if len(waiting) > MOST_ASKED:
                yield waiting.popleft()
        while len(waiting) > n_windows // ASKED_SHARE:
            yield waiting.popleft()
        self.end = tuple(waiting)


def learn_and_ask(
    model: FaastForCausalLM, windows: Iterable[Document], batch_size: int
) -> tuple[Counts, Gain | None]:
    """Learn windows in order; ask the last ones before they are learned, if there are enough."""
    from faast.lm.adapters import DEFAULT

    model.copy_adapter(DEFAULT, BEFORE)
    first = AllButTheEnd(windows)
    early = change_memory(model.learn, model, first, batch_size)
    gain = _ask(model, first.end) if first.end else None
    late = change_memory(model.learn, model, with_progress(first.end, "Learning"), batch_size)
    with model.use_adapter(BEFORE):
        model.reset()
    return early.plus(late), gain


def learn_without_asking(
    model: FaastForCausalLM, windows: Iterable[Document], batch_size: int
) -> Counts:
    """Learn windows in the batches of `learn_and_ask`, so that the memory is the same."""
    first = AllButTheEnd(windows)
    early = change_memory(model.learn, model, first, batch_size)
    late = change_memory(model.learn, model, with_progress(first.end, "Learning"), batch_size)
    return early.plus(late)


def change_memory(
    change: Callable[..., Any],
    model: FaastForCausalLM,
    windows: Iterable[Document],
    batch_size: int,
) -> Counts:
    """Let a method of a model, learn or forget, take windows in batches."""
    from faast.lm.documents import pad_documents

    n_windows, n_tokens, seconds = 0, 0, 0.0
    for batch in pad_documents(windows, batch_size):
        began = time.perf_counter()
        change(**batch.to(model.device)._asdict())
        seconds += time.perf_counter() - began
        n_windows += len(batch.input_ids)
        n_tokens += batch.n_tokens
    return Counts(n_windows, n_tokens, seconds)


def _ask(model: FaastForCausalLM, windows: Sequence[Document]) -> Gain:
    from faast.evaluation.lm.perplexity import answer_perplexity
    from faast.lm.batch import Document

    asked = [Document(*(part.to(model.device) for part in window)) for window in windows]
    with model.use_adapter(BEFORE):
        before = answer_perplexity(model, with_progress(asked, "Asking before"))
    after = answer_perplexity(model, with_progress(asked, "Asking after"))
    return Gain(len(asked), before, after)


def describe_gain(gain: Gain | None) -> str:
    """Say what learning gained."""
    if gain is None:
        return (
            "The text is too short to say what learning it gained: the last tenth of its pieces is "
            f"asked for that, and it has fewer than {ASKED_SHARE} (--window says how many tokens a "
            "piece has)."
        )
    measured = (
        f"On the last {gain.windows} windows of the text, asked before they were learned: "
        f"perplexity {format_value(gain.before)} before, {format_value(gain.after)} after learning "
        "the rest (lower is better)."
    )
    if gain.after < NO_GAIN * gain.before:
        return measured
    return f"{measured} Learning gained nothing on them: the text may repeat little."


def describe_forgetting(config: MemoryConfig) -> str:
    """Say whether a memory can forget a text, and how."""
    if config.forgets:
        return "This memory can forget any of its texts exactly: see 'faast lm forget --help'."
    return (
        "This memory cannot forget a single text: learn again without it, or learn with "
        "--memory pseudoinverse or --memory none --recall, which can."
    )
