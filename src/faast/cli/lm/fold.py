"""`faast lm fold`: merge a memory into a copy of its model."""

from __future__ import annotations

from typing import Annotated

import typer

from faast._utils.progress import spinner
from faast.cli._options import Json
from faast.cli._output import emit
from faast.cli.lm._model import check_new_folder, load_model, require_memory
from faast.cli.lm._options import Base, MemoryName


def fold(
    memory: MemoryName,
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="Folder to write the model to.", show_default=False),
    ],
    base: Base = None,
    json: Json = False,
) -> None:
    """Write a copy of the model that has a memory built in.

    The copy is an ordinary Hugging Face model, as large and as fast as the original. It runs
    without faast. Only memories of the default kind, without --recall, can be built in.
    """
    require_memory(memory)
    check_new_folder(output)
    loaded = load_model(memory, base)
    if not loaded.model.adapters:
        raise ValueError(f"{memory} has learned nothing that could be merged into its model")
    with spinner("Folding"):
        plain = loaded.model.fold()
        plain.save_pretrained(output)
        loaded.tokenizer.save_pretrained(output)
    emit(
        {
            "model": output,
            "architecture": type(plain).__name__,
            "parameters": sum(weight.numel() for weight in plain.parameters()),
            "learned_tokens": loaded.model.memory_size,
        },
        json,
    )
