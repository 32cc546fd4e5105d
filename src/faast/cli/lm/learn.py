"""`faast lm learn` and `faast lm fold`: memories written, and merged into plain models."""

from __future__ import annotations

import math
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faast._utils.progress import spinner
from faast.cli._options import Json
from faast.cli._output import emit, one_line_errors
from faast.cli.lm._options import (
    RUNNING,
    TEXT_HELP,
    Answer,
    Memory,
    ModelName,
    Prompt,
    Running,
    Split,
    Window,
    open_model,
)
from faast.cli.lm._texts import lessons, template_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from faast.lm import FaastForCausalLM, MemoryConfig
    from faast.lm.documents import Document


class Kind(StrEnum):
    """Which output memory a model gets."""

    NATURAL = "natural"
    PSEUDOINVERSE = "pseudoinverse"
    PAPER = "paper"


@one_line_errors
def learn(
    model: ModelName,
    texts: Annotated[
        list[str], typer.Argument(metavar="TEXT...", help=TEXT_HELP, show_default=False)
    ],
    output: Memory,
    prompt: Prompt = None,
    answer: Answer = None,
    memory: Annotated[
        Kind | None,
        typer.Option(
            help="natural: one pass of the likelihood's gradient, folds into the model (the "
            "default); pseudoinverse: exact, its settings chosen; paper: the paper's.",
            show_default=False,
        ),
    ] = None,
    window: Window = None,
    split: Split = None,
    running: Running = RUNNING,
    json: Json = False,
) -> None:
    """Learn texts, answers or chats in one pass and write a memory."""
    started = time.perf_counter()
    template = template_of(prompt, answer)
    opened = open_model(model, running, None if memory is None else _config(memory))
    found = lessons(texts, opened.tokenizer, template, split, opened.window(window))
    facts = _learned(opened.model, found, running.batch_size)
    opened.model.save_pretrained(output)
    emit({"memory": str(output), **facts, "seconds": time.perf_counter() - started}, json)


@one_line_errors
def fold(
    memory: Annotated[str, typer.Argument(help="Folder of a memory.", show_default=False)],
    output: Annotated[
        str, typer.Option("--output", "-o", help="Folder of the model.", show_default=False)
    ],
    json: Json = False,
) -> None:
    """Merge a memory into its model's output embeddings: a plain model, as fast as before."""
    opened = open_model(memory)
    if not opened.model.adapters:
        raise ValueError(f"{memory} has learned nothing that could be merged into its model")
    with spinner("Folding"):
        plain = opened.model.fold()
        plain.save_pretrained(output)
        opened.tokenizer.save_pretrained(output)
    emit(
        {
            "model": output,
            "architecture": type(plain).__name__,
            "parameters": sum(weight.numel() for weight in plain.parameters()),
            "learned_tokens": opened.model.memory_size,
        },
        json,
    )


def _learned(model: FaastForCausalLM, found: Iterable[Document], batch_size: int) -> dict[str, Any]:
    from faast.lm.documents import pad_documents

    before = model.memory_size
    n_windows, n_tokens, seconds = 0, 0, 0.0
    for batch in pad_documents(found, batch_size):
        began = time.perf_counter()
        model.learn(**batch.to(model.device)._asdict())
        seconds += time.perf_counter() - began
        n_windows += len(batch.input_ids)
        n_tokens += batch.n_tokens
    if model.memory_size == before:
        raise ValueError("the texts hold nothing to learn: no answer follows a token")
    facts = {
        "windows": n_windows,
        "tokens": n_tokens,
        "learned_tokens": model.memory_size - before,
        "memory_tokens": model.memory_size,
        "memory_bytes": model.memory_bytes,
        "learning_seconds": seconds,
    }
    online = model.online_perplexity
    return facts if math.isnan(online) else facts | {"online_perplexity": online}


def _config(kind: Kind) -> MemoryConfig:
    from faast.lm import MemoryConfig

    if kind is Kind.NATURAL:
        return MemoryConfig()
    if kind is Kind.PSEUDOINVERSE:
        return MemoryConfig(output="pseudoinverse")
    return MemoryConfig.paper(middle_layers=0)  # without trained readouts they change nothing
