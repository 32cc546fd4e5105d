"""`faast lm fold`: merge a memory into a copy of its model."""

from __future__ import annotations

from typing import Annotated

import typer

from faast._utils.progress import spinner
from faast.cli._options import Json
from faast.cli._output import emit
from faast.cli.lm._model import check_output, load_model


def fold(
    memory: Annotated[
        str, typer.Argument(metavar="MEMORY", help="Folder of a memory.", show_default=False)
    ],
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="Folder to write the model to.", show_default=False),
    ],
    json: Json = False,
) -> None:
    """Merge a memory into a copy of its model.

    The result is a plain Hugging Face model that has learned what the memory holds. It needs no
    faast to run, and is as fast as the original. Only memories of the kind 'natural' can be merged.
    """
    check_output("model", output)
    loaded = load_model(memory)
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
