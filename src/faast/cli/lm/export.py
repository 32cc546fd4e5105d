"""`faast lm export`: write a memory as a LoRA adapter of its model."""

from __future__ import annotations

from typing import Annotated

import typer

from faast._utils.progress import spinner
from faast.cli._options import Json
from faast.cli._output import emit
from faast.cli.lm._model import check_new_folder, load_model, require_memory
from faast.cli.lm._options import Base, MemoryName


def export(
    memory: MemoryName,
    output: Annotated[
        str,
        typer.Option("--output", "-o", help="Folder to write the adapter to.", show_default=False),
    ],
    rank: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Rank of the adapter: the lower, the smaller the file, and the less of the memory "
            "is kept. Servers have a limit of their own. Default: the width of the model, which "
            "keeps all.",
            show_default=False,
        ),
    ] = None,
    base: Base = None,
    json: Json = False,
) -> None:
    """Write a memory as a LoRA adapter, for other programs.

    LoRA is the common format for changes to a model. PEFT loads it, and so do servers that hold
    many adapters of one model, such as vLLM. Only memories of the default kind, without --recall,
    can be written so.
    """
    require_memory(memory)
    check_new_folder(output)
    loaded = load_model(memory, base)
    if not loaded.model.adapters:
        raise ValueError(f"{memory} has learned nothing that an adapter could hold")
    with spinner("Writing the adapter"):
        loaded.model.to_lora(output, rank)
    emit({"adapter": output, "learned_tokens": loaded.model.memory_size}, json)
