"""`faast lm learn`: learn from texts, and write what was learned as a memory."""

from __future__ import annotations

import math
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faast.cli._options import Json
from faast.cli._output import emit
from faast.cli.lm._model import check_output, load_model
from faast.cli.lm._options import (
    RUNTIME,
    AnswerTemplate,
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
    from collections.abc import Iterable

    from faast.lm import FaastForCausalLM, MemoryConfig
    from faast.lm.batch import Document


class MemoryKind(StrEnum):
    """How a new memory learns."""

    NATURAL = "natural"
    PSEUDOINVERSE = "pseudoinverse"
    PAPER = "paper"
    NONE = "none"


def learn(
    model: ModelName,
    texts: Texts,
    output: MemoryFolder,
    prompt: PromptTemplate = None,
    answer: AnswerTemplate = None,
    memory: Annotated[
        MemoryKind | None,
        typer.Option(
            help="How to learn. natural (the default): natural-gradient steps on the likelihood, "
            "the only kind that 'fold' can merge; pseudoinverse: exact least squares, with "
            "settings chosen on held-out text; paper: the published method (arXiv 2605.04651); "
            "none: only what --recall adds.",
            show_default=False,
        ),
    ] = None,
    recall: Annotated[
        bool,
        typer.Option(
            "--recall",
            help="Also recall names, facts and phrases word for word: count what followed the "
            "last tokens. With --memory none the memory forgets texts exactly.",
        ),
    ] = False,
    window: Window = None,
    split: Split = None,
    runtime: Runtime = RUNTIME,
    json: Json = False,
) -> None:
    """Learn from texts and write a memory.

    Every text is read once. All of it is learned, but of prompts with answers only the answers, and
    of chats only the assistant's turns. If MODEL is a memory, what it has learned is kept and the
    texts are added to it; the result goes to OUTPUT.
    """
    started = time.perf_counter()
    template = parse_template(prompt, answer)
    check_output("memory", output)
    config = _memory_config(memory or MemoryKind.NATURAL, recall) if memory or recall else None
    loaded = load_model(model, runtime, config)
    length = loaded.window_length(window)
    windows = read_windows(texts, loaded.tokenizer, template, split, length)
    facts = _learn_windows(loaded.model, windows, runtime.batch_size)
    loaded.model.save_pretrained(output)
    emit({"memory": str(output), **facts, "seconds": time.perf_counter() - started}, json)


def _learn_windows(
    model: FaastForCausalLM, windows: Iterable[Document], batch_size: int
) -> dict[str, Any]:
    from faast.lm.documents import pad_documents

    before = model.memory_size
    n_windows, n_tokens, seconds = 0, 0, 0.0
    for batch in pad_documents(windows, batch_size):
        began = time.perf_counter()
        model.learn(**batch.to(model.device)._asdict())
        seconds += time.perf_counter() - began
        n_windows += len(batch.input_ids)
        n_tokens += batch.n_tokens
    if model.memory_size == before:
        raise ValueError(
            "the texts hold nothing to learn; each needs two tokens, or an answer after its prompt"
        )
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


def _memory_config(kind: MemoryKind, recall: bool) -> MemoryConfig:
    from faast.lm import MemoryConfig

    if kind is MemoryKind.NONE and not recall:
        raise ValueError("--memory none learns nothing without --recall; add it")
    if kind is MemoryKind.NONE:
        return MemoryConfig(output=None, recall=recall)
    if kind is MemoryKind.NATURAL:
        return MemoryConfig(recall=recall)
    if kind is MemoryKind.PSEUDOINVERSE:
        return MemoryConfig(output="pseudoinverse", recall=recall)
    return MemoryConfig.paper(middle_layers=0, recall=recall)  # others need pretrained readouts
