"""Models in GGUF files, which transformers unpacks: a file in a folder or in a hub repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from transformers.utils import CONFIG_NAME

from faast._utils.imports import import_optional

SUFFIX = ".gguf"


def find_file(folder: Path) -> Path | None:
    """Return the GGUF file in a folder that holds no other model; None if there is none.

    Raises
    ------
    ValueError
        There are several.
    """
    if (folder / CONFIG_NAME).exists():
        return None
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if len(files) > 1:
        names = ", ".join(file.name for file in files[:5])
        raise ValueError(f"{folder} holds several models ({names}); name one of the files")
    return files[0] if files else None


def is_in_repository(name: str) -> bool:
    """Return whether this names a file in a hub repository: owner/repository/file.gguf."""
    return name.endswith(SUFFIX) and name.count("/") == 2 and not Path(name).parents[1].exists()


def transformers_arguments(source: str) -> dict[str, Any]:
    """Return the arguments with which transformers loads a model, or its tokenizer.

    Parameters
    ----------
    source : str
        Folder, hub id, or GGUF file in one of them.

    Raises
    ------
    ImportError
        A GGUF file is named, and gguf is not installed.
    """
    if not source.endswith(SUFFIX):
        return {"pretrained_model_name_or_path": source}
    import_optional("gguf", "gguf")
    folder, file = os.path.split(source)
    return {"pretrained_model_name_or_path": folder, "gguf_file": file}
