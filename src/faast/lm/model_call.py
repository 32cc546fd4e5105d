"""One call of a language model: the tokens that its logits follow, and its output with others."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from transformers.modeling_utils import slice_logits_to_keep

from faast.lm.ngrams import PADDING

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel
    from transformers.utils.generic import ModelOutput

LOSS_ARGUMENTS = ("num_items_in_batch", "ignore_index", "shift_labels")


@dataclass(frozen=True)
class ModelCall:
    """A model, and the arguments of its forward pass by name."""

    model: PreTrainedModel
    arguments: dict[str, Any]

    @classmethod
    def bind(
        cls, model: PreTrainedModel, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ModelCall:
        """Give the arguments of a call their names."""
        names = _argument_names(type(model).forward)
        return cls(model, {**dict(zip(names, args, strict=False)), **kwargs})

    @property
    def input_ids(self) -> Tensor:
        """Tokens of the call, shape (batch, length).

        Raises
        ------
        ValueError
            The model was given embeddings instead.
        """
        tokens: Tensor | None = self.arguments.get("input_ids")
        if tokens is None:
            raise ValueError(
                "a recall memory looks up tokens, but the model was given inputs_embeds; give it "
                "input_ids, or attach memories with recall=False"
            )
        return tokens

    def mark_padding(self, sequences: Tensor) -> Tensor:
        """Replace padding, by the attention mask of the call, with `PADDING`.

        Parameters
        ----------
        sequences : Tensor of shape (batch, n)
            Tokens that end in those of the call.
        """
        mask = self.arguments.get("attention_mask")
        if not isinstance(mask, Tensor) or mask.ndim != 2 or len(mask) != len(sequences):
            return sequences
        length = min(mask.shape[1], sequences.shape[1])
        padded = mask[:, mask.shape[1] - length :] == 0
        if not bool(padded.any()):
            return sequences
        marked = sequences.clone()
        marked[:, sequences.shape[1] - length :].masked_fill_(padded.to(marked.device), PADDING)
        return marked

    def keep(self, values: Tensor) -> Tensor:
        """Select, of values per token (batch, length, ...), those of which there are logits.

        Raises
        ------
        ValueError
            ``logits_to_keep`` is a mask, which joins the rows of the batch.
        """
        kept = self.arguments.get("logits_to_keep", 0)
        if isinstance(kept, Tensor) and kept.dtype == torch.bool:
            raise ValueError(
                "logits_to_keep is a mask, which joins the rows of the batch, and a recall memory "
                "needs them apart; give a number, or positions"
            )
        return slice_logits_to_keep(values, kept)

    def replace_logits(
        self, output: ModelOutput | tuple[Any, ...], change: Callable[[Tensor], Tensor]
    ) -> ModelOutput | tuple[Any, ...]:
        """Return the output of the call with changed logits, and the loss that they have."""
        labels = self.arguments.get("labels")
        if isinstance(output, tuple):
            at = int(labels is not None)
            logits = output[at]
            changed = change(logits)
            loss = () if labels is None else (self._loss(output[0], logits, changed, labels),)
            return (*loss, changed, *output[at + 1 :])
        logits = cast("Tensor", output.logits)  # type: ignore[attr-defined]
        changed = change(logits)
        if labels is not None and output.get("loss") is not None:
            output["loss"] = self._loss(output["loss"], logits, changed, labels)
        output["logits"] = changed
        return output

    def _loss(self, before: Tensor, logits: Tensor, changed: Tensor, labels: Tensor) -> Tensor:
        """Change a loss, of which other terms may be part, by as much as the logits change it."""
        given = {name: self.arguments[name] for name in LOSS_ARGUMENTS if name in self.arguments}
        size = logits.shape[-1]
        old, new = (
            cast("Tensor", self.model.loss_function(part, labels, vocab_size=size, **given))
            for part in (logits, changed)
        )
        return before + (new - old)


@cache
def _argument_names(forward: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the arguments of a forward pass, a method of a class."""
    return tuple(inspect.signature(forward).parameters)[1:]
