"""`faast lm learn`: read texts once, and write what was learned as a memory."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from faast.cli._options import Json
from faast.cli._output import emit
from faast.cli.lm._learning import describe_forgetting, describe_gain, learn_windows
from faast.cli.lm._model import check_memory_output, hold_memory, load_model, tell_replaced
from faast.cli.lm._options import (
    RUNTIME,
    AnswerTemplate,
    Base,
    MemoryFolder,
    ModelName,
    PromptTemplate,
    Runtime,
    Split,
    Texts,
    Window,
)
from faast.cli.lm._texts import parse_template, read_windows

if TYPE_CHECKING:
    from faast.lm import MemoryConfig


class MemoryKind(StrEnum):
    """How a new memory learns."""

    NATURAL = "natural"
    PSEUDOINVERSE = "pseudoinverse"
    PAPER = "paper"
    RECALL = "recall"


def learn(
    model: ModelName,
    texts: Texts,
    output: MemoryFolder,
    prompt: PromptTemplate = None,
    answer: AnswerTemplate = None,
    memory: Annotated[
        MemoryKind | None,
        typer.Option(
            help="What the new memory is good at. natural (the default): the style and subject of "
            "a text; 'fold' and 'export' take it. recall: names, facts and phrases word for word, "
            "and it can forget a text exactly. pseudoinverse: some of the style, and it can forget "
            "a text exactly. paper: the method as it was published (arXiv 2605.04651).",
            show_default=False,
        ),
    ] = None,
    recall: Annotated[
        bool,
        typer.Option(
            "--recall",
            help="Remember names, facts and phrases word for word, beside what --memory says.",
        ),
    ] = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure/--no-measure",
            help="Measure how well the last tenth of the texts is predicted before and after the "
            "rest is learned. It takes time, and changes nothing of what is learned.",
        ),
    ] = True,
    window: Window = None,
    split: Split = None,
    base: Base = None,
    runtime: Runtime = RUNTIME,
    json: Json = False,
) -> None:
    """Read texts once, and write what was learned as a memory.

    The memory is a small folder that refers to the model, which stays as it is. If MODEL is itself
    a memory, the texts are added to what it has learned. All of a text is learned; of prompts with
    answers only the answers are, and of chats only what the assistant says. Before the last
    tenth of the texts is learned, it is used to measure what was gained.
    """
    started = time.perf_counter()
    template = parse_template(prompt, answer)
    check_memory_output(output)
    config = _memory_config(memory or MemoryKind.NATURAL, recall) if memory or recall else None
    with hold_memory(output):
        loaded = load_model(model, base, runtime, config)
        taught = loaded.model
        length = loaded.window_length(window)
        windows = read_windows(texts, loaded.tokenizer, template, split, length)
        before = taught.memory_size
        counts, gain = learn_windows(taught, windows, runtime.batch_size, measure=measure)
        if taught.memory_size == before:
            raise ValueError(
                "the texts hold nothing to learn; each needs two tokens, or an answer after its "
                "prompt"
            )
        tell_replaced(output, model)
        taught.save_pretrained(output)
    if measure:
        typer.echo(describe_gain(gain), err=True)
    typer.echo(describe_forgetting(taught.memory_config), err=True)
    gained = (
        {} if gain is None else {"perplexity_before": gain.before, "perplexity_after": gain.after}
    )
    emit(
        {
            "memory": str(output),
            "windows": counts.windows,
            "tokens": counts.tokens,
            "learned_tokens": taught.memory_size - before,
            "memory_tokens": taught.memory_size,
            "memory_bytes": taught.memory_bytes,
            **gained,
            "learning_seconds": counts.seconds,
            "seconds": time.perf_counter() - started,
        },
        json,
    )


def _memory_config(kind: MemoryKind, recall: bool) -> MemoryConfig:
    from faast.lm import MemoryConfig

    return MemoryConfig.of_kind(kind.value, recall=recall)
