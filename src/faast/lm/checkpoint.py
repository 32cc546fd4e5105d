"""Files of a model's memories: safetensors and JSON, the backbone by name and fingerprint."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from huggingface_hub import snapshot_download
from transformers import AutoModelForCausalLM, PreTrainedModel

from faast._version import __version__
from faast.core import persistence
from faast.core.persistence import ModelFileError, State
from faast.lm import paper_checkpoint as published
from faast.lm.architecture import Backbone
from faast.lm.config import MemoryConfig

if TYPE_CHECKING:
    from faast.lm.model import FaastForCausalLM

MEMORY_FILE = "memory.safetensors"
CONFIG_FILE = "config.json"
Source = str | os.PathLike[str]
M = TypeVar("M", bound="FaastForCausalLM")


@persistence.persistent("language memory")
class MemoryFile:
    """What the file of a language model's memories holds."""

    def __init__(self, state: State) -> None:
        self.state = state

    def to_state(self) -> State:
        """Return what a file keeps."""
        return self.state

    @classmethod
    def from_state(cls, state: State) -> MemoryFile:
        """Restore what `to_state` returned."""
        return cls(state)


def save(model: FaastForCausalLM, directory: Source) -> None:
    """Write memories, readouts and settings into a directory, made where it is missing."""
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    memories = {name: memory.to_state() for name, memory in model._memories.items()}
    readouts = {
        name: tensor.detach().float().cpu().numpy()
        for name, tensor in model.readouts.state_dict().items()
    }
    state = State.join(
        {"memories": State.join(memories), "readouts": State(readouts, {})},
        names=model.names,
        config=model.memory_config.to_dict(),
        base=model.base.name_or_path,
        fingerprint=model._backbone.fingerprint(),
    )
    persistence.save(MemoryFile(state), folder / MEMORY_FILE, __version__)
    described = {
        "library": f"faast {__version__}",
        "base_model": model.base.name_or_path,
        "memory": model.memory_config.to_dict(),
    }
    text = json.dumps(described, indent=2) + "\n"
    persistence.write_whole(folder / CONFIG_FILE, text.encode())


def holds_memories(source: Source) -> bool:
    """Return whether a directory holds memories rather than a plain model."""
    return (Path(source) / MEMORY_FILE).is_file() or published.is_published(Path(source))


def load(cls: type[M], source: Source, base: PreTrainedModel | Source | None, **loading: Any) -> M:
    """Load a directory or a hub repository; see `FaastForCausalLM.from_pretrained`."""
    folder = Path(source)
    if not folder.is_dir():
        if folder.exists() or isinstance(source, os.PathLike) or str(source).count("/") > 1:
            raise FileNotFoundError(f"there is no directory {folder} of a saved memory")
        folder = Path(snapshot_download(str(source)))
    if not (folder / MEMORY_FILE).is_file():
        return published.load(cls, folder, base, **loading)
    state = _read(folder)
    name = base if base is not None else state.metadata["base"]
    if not isinstance(name, PreTrainedModel) and not str(name):
        raise ModelFileError(
            f"{folder} names no backbone (its model was built in memory); give base="
        )
    loaded = load_base(name, **loading)
    require_backbone(Backbone.of(loaded), state.metadata["fingerprint"])
    model = cls(loaded, MemoryConfig(**state.metadata["config"]))
    try:
        _restore(model, state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        model.detach()
        raise ModelFileError(f"{folder} is incomplete or inconsistent: {error}") from error
    return model


def restore(model: FaastForCausalLM, directory: Source) -> None:
    """Put saved memories and readouts into a model of the same backbone and settings.

    Raises
    ------
    ModelFileError
        Damaged, or saved from another backbone or with other settings; the model is as before.
    """
    folder = Path(directory)
    state = _read(folder)
    require_backbone(model._backbone, state.metadata["fingerprint"])
    config = MemoryConfig(**state.metadata["config"])
    if config != model.memory_config:
        raise ModelFileError(
            f"{folder} was saved with other settings: {config}, the model has {model.memory_config}"
        )
    try:
        _restore(model, state)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"{folder} is incomplete or inconsistent: {error}") from error


def load_base(base: PreTrainedModel | Source, **loading: Any) -> PreTrainedModel:
    """Return a loaded model as it is, or load one by its path or id."""
    if isinstance(base, str | os.PathLike):
        loaded: PreTrainedModel = AutoModelForCausalLM.from_pretrained(base, **loading)
        return loaded
    return base


def require_backbone(backbone: Backbone, fingerprint: list[float]) -> None:
    """Check that a memory was learned with this backbone, in whatever precision.

    Raises
    ------
    ModelFileError
        Another backbone.
    """
    ours, theirs = np.array(backbone.fingerprint()), np.array(fingerprint)
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=2e-2, atol=1e-4):
        raise ModelFileError(
            f"these memories were learned with another backbone than "
            f"{backbone.model.name_or_path or type(backbone.model).__name__}: its weights differ; "
            "give the one they were learned with as base="
        )


def _read(folder: Path) -> State:
    content = persistence.load(folder / MEMORY_FILE)
    if not isinstance(content, MemoryFile):
        raise ModelFileError(f"{folder / MEMORY_FILE} holds no memories of a language model")
    return content.state


def _restore(model: FaastForCausalLM, state: State) -> None:
    saved = state.part("memories")
    memories = {
        name: model._memory(name).from_state(saved.part(name)) for name in state.metadata["names"]
    }
    readouts = state.part("readouts").tensors
    model.readouts.load_state_dict({n: torch.from_numpy(array) for n, array in readouts.items()})
    model._memories = memories
