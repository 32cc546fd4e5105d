"""Files of a model's memories: safetensors and JSON, with the backbone by name and fingerprint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from huggingface_hub import snapshot_download
from transformers.utils import CONFIG_NAME

from faast._version import __version__
from faast.core import persistence
from faast.core.persistence import ModelFileError
from faast.core.state import State
from faast.lm import paper_checkpoint
from faast.lm.architecture import Backbone, load_base
from faast.lm.config import MemoryConfig
from faast.lm.folders import MEMORY_FILE, check_memory_folder, resolve_source

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from faast._utils.arrays import AnyArray
    from faast.lm.adapters import Adapters
    from faast.lm.folders import Source
    from faast.lm.paper_checkpoint import PaperCheckpoint


@dataclass(frozen=True)
class MemoryFile:
    """Content of the file of a language model's memories.

    Attributes
    ----------
    base : str
        Path or hub id of the backbone; empty if it was built in memory.
    fingerprint : list of float
        See `Backbone.fingerprint`.
    config : MemoryConfig
    memories : dict of str to State
        What each adapter has learned.
    readouts : dict of str to ndarray
        Parameters of the readouts.
    """

    base: str
    fingerprint: list[float]
    config: MemoryConfig
    memories: dict[str, State]
    readouts: dict[str, AnyArray]

    def to_state(self) -> State:
        """Return the content as a file holds it."""
        return State.join(
            {"memories": State.join(self.memories), "readouts": State(self.readouts, {})},
            names=sorted(self.memories),
            config=self.config.to_dict(),
            base=self.base,
            fingerprint=self.fingerprint,
        )

    @classmethod
    def from_state(cls, state: State) -> MemoryFile:
        """Return the content that `to_state` described."""
        saved = state.part("memories")
        return cls(
            state.metadata["base"],
            state.metadata["fingerprint"],
            MemoryConfig(**state.metadata["config"]),
            {name: saved.part(name) for name in state.metadata["names"]},
            state.part("readouts").tensors,
        )

    def load_backbone(
        self, base: PreTrainedModel | Source | None, **loading: Any
    ) -> PreTrainedModel:
        """Return the backbone that the memories were learned with.

        Parameters
        ----------
        base : PreTrainedModel, path or hub id, optional
            By default the one that the file names.
        **loading
            Passed to ``AutoModelForCausalLM.from_pretrained``.

        Raises
        ------
        ModelFileError
            The file names no backbone, or the memories were learned with another one.
        FileNotFoundError
            The backbone's folder is gone.
        """
        if base is None and not self.base:
            raise ModelFileError(
                "the file of the memories names no backbone, since their model was built in "
                "memory; give base="
            )
        if base is None:
            try:
                base = resolve_source(self.base, "a model")
            except FileNotFoundError as error:
                raise FileNotFoundError(
                    f"{error}; the memories were learned with it: put it back, or give base="
                ) from None
        loaded = load_base(base, **loading)
        check_backbone(Backbone.from_model(loaded), self.fingerprint)
        return loaded

    def check(self, backbone: Backbone, config: MemoryConfig) -> None:
        """Check that the memories were learned with this backbone and these settings.

        Raises
        ------
        ModelFileError
            They were not.
        """
        check_backbone(backbone, self.fingerprint)
        if config != self.config:
            raise ModelFileError(
                f"the memories were saved with other settings: {self.config}; the model has "
                f"{config}"
            )

    def restore(self, adapters: Adapters, readouts: nn.ModuleList) -> None:
        """Replace what a model of the same backbone and settings has learned.

        Raises
        ------
        ModelFileError
            The content is inconsistent; the memories are as before.
        """
        parameters = {name: torch.from_numpy(array) for name, array in self.readouts.items()}
        try:
            memories = adapters.from_states(self.memories)
            readouts.load_state_dict(parameters)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ModelFileError(f"the saved memories are inconsistent: {error}") from error
        adapters.replace(memories)


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
    parameters = readouts.state_dict().items()
    content = MemoryFile(
        backbone.name,
        backbone.fingerprint(),
        config,
        adapters.to_states(),
        {name: tensor.detach().float().cpu().numpy() for name, tensor in parameters},
    )
    persistence.save(content, folder / MEMORY_FILE)
    summary = {
        "library": f"faast {__version__}",
        "base_model": content.base,
        "memory": config.to_dict(),
    }
    text = json.dumps(summary, indent=2) + "\n"
    persistence.write_whole(folder / CONFIG_NAME, text.encode())


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


def check_backbone(backbone: Backbone, fingerprint: list[float]) -> None:
    """Check that memories were learned with this backbone, in whatever precision.

    Raises
    ------
    ModelFileError
        They were learned with another backbone.
    """
    ours, theirs = np.array(backbone.fingerprint()), np.array(fingerprint)
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=2e-2, atol=1e-4):
        raise ModelFileError(
            f"these memories were learned with another backbone than "
            f"{backbone.model.name_or_path or type(backbone.model).__name__}: its weights differ; "
            "give the one they were learned with as base="
        )
