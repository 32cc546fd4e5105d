"""Memories taken out of a model: folded into a plain copy, or written as a LoRA adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faast.lm.folders import check_empty_folder
from faast.lm.folding import fold
from faast.lm.inference_mode import outside_inference_mode
from faast.lm.lora import HeadLora
from faast.lm.saving import SavedModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from faast.lm.folders import Source
    from faast.lm.hooks import Hooks


class ExportedModel(SavedModel):
    """The part of `FaastForCausalLM` that makes plain models and adapters."""

    _hooks: Hooks

    @outside_inference_mode
    def fold(self) -> PreTrainedModel:
        """Return an independent plain model with the memory in use merged into its head.

        Raises
        ------
        FoldingError
            The memory is not a linear map of the head's input.
        ValueError
            Several adapters are in use.
        """
        self._backbone.check_unchanged()
        return fold(self._backbone, self._adapters.only, self._hooks)

    @outside_inference_mode
    def to_lora(self, directory: Source, rank: int | None = None) -> None:
        """Write the memory in use as a LoRA adapter of the head, which PEFT and vLLM load.

        Parameters
        ----------
        directory : path
            A new folder, or an empty one.
        rank : int, optional
            Rank of the adapter. By default it is the width of the model, and nothing is lost.
            Servers have a limit of their own, 16 by default in vLLM.

        Raises
        ------
        FoldingError
            The memory is not a linear map of the head's input, or has learned nothing.
        ValueError
            The rank is out of range, or several adapters are in use.
        OSError
            The folder cannot be written to, or holds something.
        """
        self._backbone.check_unchanged()
        check_empty_folder(directory)
        rank = self._backbone.head.width if rank is None else rank
        lora = HeadLora.from_memory(self._backbone, self._adapters.only, rank)
        lora.save(directory, self._backbone)
