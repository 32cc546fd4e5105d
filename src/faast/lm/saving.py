"""Saving and loading of a language model's memories, as methods of the model."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn

from faast.core.persistence import ModelFileError
from faast.lm import checkpoint, memory_folder, paper_checkpoint
from faast.lm.adapters import DEFAULT
from faast.lm.folders import check_empty_folder
from faast.lm.inference_mode import outside_inference_mode

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from faast.lm.adapters import Adapters
    from faast.lm.backbone import Backbone
    from faast.lm.config import MemoryConfig
    from faast.lm.folders import Source


class SavedModel(nn.Module):
    """The part of `FaastForCausalLM` that writes and reads files."""

    base: PreTrainedModel
    memory_config: MemoryConfig
    readouts: nn.ModuleList
    _backbone: Backbone
    _adapters: Adapters

    @abstractmethod
    def detach(self) -> PreTrainedModel:
        """Take the memories off the backbone; see `FaastForCausalLM.detach`."""

    def save_pretrained(self, directory: Source) -> None:
        """Write memories, readouts and settings; of the backbone only its name is written.

        Parameters
        ----------
        directory : path
            A new folder, or one that holds an earlier memory, which is replaced.

        Raises
        ------
        OSError
            The folder cannot be written to, or holds anything else.
        """
        self._backbone.check_unchanged()
        memory_folder.save(
            directory, self._backbone, self.memory_config, self._adapters, self.readouts
        )

    def save_paper_checkpoint(self, directory: Source) -> None:
        """Write backbone and readouts in the layout of the paper's code.

        What the memories have learned is not part of that layout; `save_pretrained` keeps it.

        Parameters
        ----------
        directory : path
            A new folder, or an empty one.

        Raises
        ------
        ValueError
            The settings are not those of ``MemoryConfig.paper``.
        OSError
            The folder cannot be written to, or holds something.
        """
        check_empty_folder(directory)
        self._write_paper_checkpoint(directory)

    @classmethod
    def from_pretrained(
        cls, source: Source, base: PreTrainedModel | Source | None = None, **loading: Any
    ) -> Self:
        """Load what `save_pretrained` or `save_paper_checkpoint` wrote.

        Parameters
        ----------
        source : path or hub id
        base : PreTrainedModel, str or path, optional
            The backbone, where it is not the one that the file names.
        **loading
            Passed to ``AutoModelForCausalLM.from_pretrained``.

        Raises
        ------
        ModelFileError
            The file is damaged, something else, or learned with another backbone.
        """
        return cls.from_checkpoint(memory_folder.open_checkpoint(source), base, **loading)

    @classmethod
    @outside_inference_mode
    def from_checkpoint(
        cls,
        content: checkpoint.MemoryFile | paper_checkpoint.PaperCheckpoint,
        base: PreTrainedModel | Source | None = None,
        **loading: Any,
    ) -> Self:
        """Attach the memories of a file that was read; parameters and errors as `from_pretrained`.

        Notes
        -----
        After any error nothing is left in a backbone that was given.
        """
        backbone = content.load_backbone(base, **loading)
        try:
            model = cls(backbone, content.config)
        except ValueError as error:
            raise ModelFileError(f"the saved memories do not fit the backbone: {error}") from error
        try:
            content.restore(model._adapters, model.readouts)
        except BaseException:
            model.detach()
            raise
        return model

    @outside_inference_mode
    def load_memories(self, directory: Source) -> Self:
        """Replace memories and readouts by those that `save_pretrained` wrote.

        Raises
        ------
        ModelFileError
            The file is damaged, or was saved with another backbone or other settings.
        """
        content = memory_folder.read(directory)
        self._backbone.check_unchanged()
        content.check(self._backbone, self.memory_config)
        content.restore(self._adapters, self.readouts)
        return self

    def to_content(self, adapter: str = DEFAULT) -> checkpoint.MemoryFile:
        """Return the content of a file that holds one adapter, under the name of the default."""
        learned = {DEFAULT: self._adapters[adapter].to_state()}
        return checkpoint.content_of(self._backbone, self.memory_config, learned, self.readouts)

    @outside_inference_mode
    def add_adapter(self, name: str, content: checkpoint.MemoryFile) -> Self:
        """Set a named adapter to the one of a file, replacing what it had learned.

        Raises
        ------
        ModelFileError
            The file holds several adapters, is damaged, or was saved with another backbone, other
            settings or other readouts.
        """
        if content.memories.keys() - {DEFAULT}:
            raise ModelFileError(
                f"the file holds the adapters {sorted(content.memories)}; one can be added, of the "
                f"name {DEFAULT!r}"
            )
        self._backbone.check_unchanged()
        content.check(self._backbone, self.memory_config)
        memories, parameters = content.read_into(self._adapters, self.readouts)
        ours = self.readouts.state_dict()
        if not all(torch.equal(ours[key].cpu(), part) for key, part in parameters.items()):
            raise ModelFileError("the saved memory has other readouts than the model")
        self._adapters.put(name, memories.get(DEFAULT))
        return self

    def copy_adapter(self, name: str, to: str) -> Self:
        """Make adapter `to` a copy of adapter `name`, replacing what it held.

        Both share their tensors, so that a copy costs nothing.
        """
        self._adapters.copy(name, to)
        return self

    def _write_paper_checkpoint(self, directory: Source) -> None:
        """Write a paper checkpoint without looking at what the folder holds."""
        paper_checkpoint.write(Path(directory), self._backbone, self.memory_config, self.readouts)
