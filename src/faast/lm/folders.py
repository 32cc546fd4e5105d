"""Folders of models and memories: where one is read from, and whether one may be written to.

A folder that is written to is looked at before the work: nothing that this library has not written
there itself is ever overwritten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from huggingface_hub import repo_exists, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError
from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_NAME
from transformers.utils import SAFE_WEIGHTS_INDEX_NAME as WEIGHTS_INDEX_NAME

from faast.core.atomic_files import TEMPORARY_SUFFIX
from faast.core.persistence import read_kind
from faast.lm import gguf

Source = str | os.PathLike[str]
MEMORY_FILE = "memory.safetensors"
LOG_SUFFIX = ".memory-log"
"""Added to the name of a memory: the log of what a server has taught it."""
SERVED = "served memories"
"""Name of the lock, in a folder of memories, that the server of the folder holds; no memory can
have this name."""
NOTES = ("README.md", ".git", ".gitattributes", ".gitignore", ".cache", ".DS_Store")
"""What people and tools put beside a memory; writing a memory leaves it alone."""
WEIGHT_FILES = (SAFE_WEIGHTS_NAME, WEIGHTS_INDEX_NAME, "pytorch_model.bin")


def resolve_source(source: Source, what: str = "a model or a memory") -> str:
    """Return the absolute path of a folder or GGUF file that exists, or a hub id as it is.

    Parameters
    ----------
    source : path or hub id
        A folder that holds one GGUF file, and no other model, stands for that file.
    what : str
        What the folder should hold, for the error.

    Raises
    ------
    FileNotFoundError
        There is no such folder or file, and it is no name on the hub.
    ValueError
        The folder holds several GGUF files.

    Notes
    -----
    A name on the hub is "owner/name", where there is no folder "owner". Few models have a name
    without an owner, such as "gpt2", and most such names are mistyped ones of folders: the hub is
    asked once, without the retries of a download, unless the model has been downloaded before.
    """
    name = os.fspath(source)
    folder = Path(name)
    if name and (folder.is_dir() or (folder.is_file() and folder.suffix == gguf.SUFFIX)):
        # links stay, since what they lead to may move
        found = gguf.find_file(folder) or folder if folder.is_dir() else folder
        return os.path.abspath(found)  # noqa: PTH100
    if gguf.is_in_repository(name):
        return name
    if isinstance(source, os.PathLike) or folder.exists() or not _may_be_on_hub(name):
        raise FileNotFoundError(
            f"there is no folder {name} of {what}: looked for a folder or a GGUF file "
            f"{folder.absolute()}; Hugging Face, where models are named owner/name, has none of "
            "this name or could not be asked"
        )
    return name


def _may_be_on_hub(name: str) -> bool:
    """Return whether a name that is no path here can be that of a model on the hub."""
    try:
        is_downloaded = isinstance(try_to_load_from_cache(name, CONFIG_NAME), str)
    except HFValidationError:
        return False
    if "/" in name:
        return is_downloaded or not Path(name).parent.is_dir()
    return is_downloaded or (not name.endswith(gguf.SUFFIX) and _hub_has(name))


def _hub_has(name: str) -> bool:
    """Ask the hub once whether it has a model; False if it cannot be asked."""
    try:
        return repo_exists(name)
    except Exception:  # offline mode, or what the HTTP client of the hub raises
        return False


def check_empty_folder(directory: Source) -> None:
    """Check that a model can be written into a folder: it is new, or holds nothing.

    Raises
    ------
    FileExistsError
        It holds something, or is a file.
    PermissionError
        It cannot be written to.
    """
    folder = Path(directory)
    _check_writable(folder)
    for entry in _entries(folder):
        raise FileExistsError(
            f"{_describe(folder, entry)}, which writing a model there would mix up or overwrite; "
            "name a new folder"
        )


def check_memory_folder(directory: Source) -> None:
    """Check that a memory can be written into a folder: it is new, or holds an earlier memory.

    Raises
    ------
    FileExistsError
        It holds a model or anything else than a memory that this library wrote, or is a file.
    PermissionError
        It cannot be written to.
    """
    _check_entries(
        Path(directory),
        {MEMORY_FILE: _is_memory, CONFIG_NAME: _is_memory_summary},
        "a memory is written into a new folder, or over an earlier memory; name another folder",
    )


def check_pretraining_folder(directory: Source, kept: Iterable[str] = ()) -> None:
    """Check that pretraining can write into a folder: it is new, or holds an earlier run.

    Parameters
    ----------
    directory : path
    kept : iterable of str
        Names of the run's own entries.

    Raises
    ------
    FileExistsError
        It holds something else, or is a file.
    PermissionError
        It cannot be written to.
    """
    _check_entries(
        Path(directory),
        dict.fromkeys(kept, Path.exists),
        "pretraining writes into a new folder, or goes on with its own; name another folder",
    )


def _check_entries(folder: Path, ours: dict[str, Callable[[Path], bool]], advice: str) -> None:
    _check_writable(folder)
    for entry in _entries(folder):
        if entry.name not in ours or not ours[entry.name](entry):
            raise FileExistsError(f"{_describe(folder, entry)}; {advice}")


def _check_writable(folder: Path) -> None:
    """Raise OSError where a folder cannot be created, or cannot be written to."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file, not a folder; name another folder")
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir():
        raise NotADirectoryError(f"{there} is a file, so there can be no folder {folder}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"no permission to write into {there}")


def _entries(folder: Path) -> list[Path]:
    """Return what a folder holds, without notes and what a killed writer left."""
    if not folder.is_dir():
        return []
    return [
        entry
        for entry in sorted(folder.iterdir())
        if entry.name not in NOTES and not entry.name.endswith(TEMPORARY_SUFFIX)
    ]


def _describe(folder: Path, entry: Path) -> str:
    if any((folder / name).exists() for name in WEIGHT_FILES):
        return f"{folder} holds a model"
    if entry.name == MEMORY_FILE:
        return f"{folder} holds {entry.name}, which is damaged or no memory"
    return f"{folder} holds {entry.name}"


def _is_memory(path: Path) -> bool:
    return read_kind(path) == "language-memory"


def _is_memory_summary(path: Path) -> bool:
    """Return whether a file is the readable summary that lies beside memories."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and str(fields.get("library", "")).startswith("faast ")
