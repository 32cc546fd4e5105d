"""`faast lm merge`: merge memories of one model into one."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from faast.cli._options import Json
from faast.cli._output import emit
from faast.cli.lm._model import (
    check_memory_output,
    hold_memory,
    load_model,
    require_memory,
    tell_replaced,
)
from faast.cli.lm._options import Base, MemoryFolder, MemoryName
from faast.cli.lm._served import tell_outdated


def merge(
    memory: MemoryName,
    others: Annotated[
        list[str],
        typer.Argument(
            metavar="OTHERS",
            help="Folders of memories of the same model, learned with the same --memory and "
            "--recall.",
            show_default=False,
        ),
    ],
    output: MemoryFolder,
    base: Base = None,
    json: Json = False,
) -> None:
    """Merge memories of one model into one, exactly.

    The result is as if one memory had read the texts of all. Memories of --memory recall and
    of --memory pseudoinverse can be merged; others say so.
    """
    started = time.perf_counter()
    _require_alike([memory, *others])
    check_memory_output(output)
    with hold_memory(output):
        merged = load_model(memory, base).model
        from faast.lm import FaastForCausalLM

        for name in others:
            tell_outdated(name)
            try:
                other = FaastForCausalLM.from_pretrained(name, merged.base)
            except ValueError as error:
                raise ValueError(f"{name} cannot be merged with {memory}: {error}") from error
            merged.merge(other)
            other.detach()
        tell_replaced(output, memory, *others)
        merged.save_pretrained(output)
    emit(
        {
            "memory": str(output),
            "merged": 1 + len(others),
            "memory_tokens": merged.memory_size,
            "memory_bytes": merged.memory_bytes,
            "seconds": time.perf_counter() - started,
        },
        json,
    )


def _require_alike(memories: list[str]) -> None:
    """Check, before the model is loaded, that memories can be merged.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        One is no memory or one that cannot be merged, or their settings differ.
    """
    folders = [require_memory(name).resolve() for name in memories]
    if len(set(folders)) < len(folders):
        raise ValueError(
            f"one of {', '.join(memories)} is named twice, and its texts would count twice; name "
            "each memory once"
        )
    from faast.lm.memory_folder import open_checkpoint

    configs = [open_checkpoint(folder).config for folder in folders]
    for name, config in zip(memories, configs, strict=True):
        if not config.forgets:
            raise ValueError(
                f"{name} is of the kind {config.kind}, which cannot be merged: learn its texts "
                "with the other memory as MODEL, or learn them with --memory pseudoinverse or "
                "--memory recall, which can"
            )
        if config != configs[0]:
            raise ValueError(
                f"{memories[0]} and {name} differ in {configs[0].differences(config)}; only "
                "memories learned with the same --memory and --recall can be merged"
            )
