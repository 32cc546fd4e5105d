"""Folders of memories: a file of what was learned, and a summary of the settings as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import snapshot_download
from transformers.utils import CONFIG_NAME

from faast._version import __version__
from faast.core import persistence
from faast.core.atomic_files import write_json
from faast.core.persistence import ModelFileError
from faast.lm import paper_checkpoint
from faast.lm.checkpoint import MemoryFile, content_of
from faast.lm.folders import MEMORY_FILE, check_memory_folder, resolve_source

if TYPE_CHECKING:
    from torch import nn

    from faast.lm.adapters import Adapters
    from faast.lm.backbone import Backbone
    from faast.lm.config import MemoryConfig
    from faast.lm.folders import Source
    from faast.lm.paper_checkpoint import PaperCheckpoint


def save(
    directory: Source,
    backbone: Backbone,
    config: MemoryConfig,
    adapters: Adapters,
    readouts: nn.ModuleList,
) -> None:
    """Write memories, and a readable summary of their settings, into a directory.

    The directory is created where it is missing.

    Raises
    ------
    OSError
        The directory cannot be written to, or holds anything else than an earlier memory.
    """
    check_memory_folder(directory)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    write(content_of(backbone, config, adapters.to_states(), readouts), folder)


def write(content: MemoryFile, folder: Path) -> None:
    """Write memories, and a readable summary of their settings, into a folder that exists."""
    persistence.save(content, folder / MEMORY_FILE)
    summary = {
        "library": f"faast {__version__}",
        "base_model": content.base,
        "memory": content.config.to_dict(),
    }
    write_json(folder / CONFIG_NAME, summary)


def read(directory: Source) -> MemoryFile:
    """Read the memories in a directory.

    Raises
    ------
    ModelFileError
        The file is damaged, or holds something else.
    FileNotFoundError
        There is no such file.
    """
    path = Path(directory) / MEMORY_FILE
    content = persistence.load(path)
    if not isinstance(content, MemoryFile):
        raise ModelFileError(f"{path} holds no memories of a language model")
    return content


def open_checkpoint(source: Source) -> MemoryFile | PaperCheckpoint:
    """Read the memories, or the checkpoint of the paper's code, in a directory or hub repository.

    Raises
    ------
    ModelFileError
        There is neither, or it is damaged.
    FileNotFoundError
        A path does not exist, or is not a directory.
    """
    folder = find_folder(source)
    if (folder / MEMORY_FILE).is_file():
        return read(folder)
    return paper_checkpoint.read(folder)


def find_folder(source: Source) -> Path:
    """Return a directory as it is, or download a hub repository.

    Raises
    ------
    FileNotFoundError
        A path does not exist, or is not a directory.
    """
    source = resolve_source(source, "saved memories")
    folder = Path(source)
    return folder if folder.is_dir() else Path(snapshot_download(source))


def holds_memories(source: Source) -> bool:
    """Return whether a directory holds memories, or a checkpoint of the paper's code.

    Otherwise it may hold a plain model.
    """
    folder = Path(source)
    return (folder / MEMORY_FILE).is_file() or paper_checkpoint.is_checkpoint(folder)
