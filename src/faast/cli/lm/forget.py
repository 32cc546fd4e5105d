"""`faast lm forget`: take texts out of a memory again."""

from __future__ import annotations

import time

from faast.cli._options import Json
from faast.cli._output import emit
from faast.cli.lm._learning import change_memory, describe_forgetting
from faast.cli.lm._model import (
    check_memory_output,
    hold_memory,
    load_model,
    require_memory,
    tell_replaced,
)
from faast.cli.lm._options import (
    RUNTIME,
    AnswerTemplate,
    Base,
    MemoryFolder,
    MemoryName,
    PromptTemplate,
    Runtime,
    Split,
    Texts,
    Window,
)
from faast.cli.lm._texts import parse_template, read_windows, with_progress


def forget(
    memory: MemoryName,
    texts: Texts,
    output: MemoryFolder,
    prompt: PromptTemplate = None,
    answer: AnswerTemplate = None,
    window: Window = None,
    split: Split = None,
    base: Base = None,
    runtime: Runtime = RUNTIME,
    json: Json = False,
) -> None:
    """Take texts out of a memory again, exactly.

    Counts and sums are afterwards as if the memory had never read the texts. Name them with the
    same --prompt, --answer and --window as when they were learned. Memories of --memory
    recall and of --memory pseudoinverse can forget; others say so. The result goes to OUTPUT,
    which may be the folder of the memory itself.
    """
    started = time.perf_counter()
    template = parse_template(prompt, answer)
    require_memory(memory)
    check_memory_output(output)
    with hold_memory(output):
        loaded = load_model(memory, base, runtime)
        model = loaded.model
        if not model.memory_config.forgets:
            raise ValueError(describe_forgetting(model.memory_config))
        from faast.lm import ForgettingError

        before = model.memory_size
        length = loaded.window_length(window)
        windows = list(read_windows(texts, loaded.tokenizer, template, split, length, "Reading"))
        try:
            change_memory(
                model.forget, model, with_progress(windows, "Forgetting"), runtime.batch_size
            )
        except ForgettingError as error:
            raise ValueError(
                "the memory has not learned all of these texts in this form; give --prompt, "
                "--answer, --window and --dtype as to 'faast lm learn'"
            ) from error
        tell_replaced(output, memory)
        model.save_pretrained(output)
    emit(
        {
            "memory": str(output),
            "forgotten_tokens": before - model.memory_size,
            "memory_tokens": model.memory_size,
            "seconds": time.perf_counter() - started,
        },
        json,
    )
