"""`faast lm inspect`: show what a memory holds."""

from __future__ import annotations

from typing import Any

from faast.cli._options import Json
from faast.cli._output import emit
from faast.cli.lm._model import require_memory
from faast.cli.lm._options import MemoryName
from faast.cli.lm._served import learned_sources, tell_outdated


def inspect(memory: MemoryName, json: Json = False) -> None:
    """Show what a memory holds.

    The model that it was learned with is not loaded, and may be elsewhere. If a server has taught
    the memory, the number of texts of each source is shown too.
    """
    folder = require_memory(memory)
    from faast.lm.checkpoint import MemoryFile
    from faast.lm.memory_folder import open_checkpoint
    from faast.lm.saved_count import count_saved_pairs

    content = open_checkpoint(folder)
    config = content.config
    settings = config.to_dict()
    facts: dict[str, Any] = {"memory": memory, "kind": config.kind, "recall": config.recall}
    if isinstance(content, MemoryFile):
        sizes = {name: count_saved_pairs(state) for name, state in content.memories.items()}
        facts |= {"base_model": content.base, "memory_tokens": sum(sizes.values())}
        if len(sizes) > 1:
            facts["adapters"] = sizes if json else _pairs(sizes)
    else:  # readouts that were trained, and have read no text
        facts |= {"base_model": content.base_model, "memory_tokens": 0}
    files = [file for file in folder.iterdir() if file.is_file()]
    facts |= {
        "file_bytes": sum(file.stat().st_size for file in files),
        "can_forget": config.forgets,
        "settings": settings if json else _pairs(settings),
    }
    tell_outdated(folder)
    sources = learned_sources(folder)
    if sources is not None:
        facts["sources"] = sources if json else _pairs(sources)
    emit(facts, json)


def _pairs(values: dict[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]
