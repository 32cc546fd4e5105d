"""Prompts as batches for a model: cut to fit, of similar length together, padded on the left."""

from __future__ import annotations

from operator import length_hint
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from faast._utils.progress import progress_bar
from faast.lm import FaastForCausalLM
from faast.lm.architecture import longest_sequence
from faast.lm.documents import batched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedModel

    LanguageModel = FaastForCausalLM | PreTrainedModel


class PromptBatch(NamedTuple):
    """Prompts that are asked together.

    Attributes
    ----------
    places : list of int
        Where they stand among all prompts.
    input_ids, attention_mask : Tensor of shape (batch, length)
    """

    places: list[int]
    input_ids: Tensor
    attention_mask: Tensor


def prompt_batches(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    batch_size: int,
    description: str,
    *,
    room: int = 0,
    progress: bool = False,
) -> Iterator[PromptBatch]:
    """Batch prompts on the model's device.

    Parameters
    ----------
    model : FaastForCausalLM or PreTrainedModel
    prompts : sequence of sequence of int
        Tokens. Of those that do not fit the model's positions, the beginning is left out.
    batch_size : int
    description : str
        Of the progress bar.
    room : int
        Positions to leave for what is generated.
    progress : bool

    Raises
    ------
    ValueError
        No room for a prompt.
    """
    limit = longest_sequence(model.config)
    if limit is not None and limit <= room:
        raise ValueError(
            f"{room} new tokens leave no room for a prompt; the model has {limit} positions"
        )
    fitting = [prompt if limit is None else prompt[room - limit :] for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda place: len(fitting[place]))
    left = iter(order)

    def fraction() -> float:
        return 1 - length_hint(left) / len(order)

    for places in progress_bar(batched(left, batch_size), fraction, description, enabled=progress):
        longest = max(len(fitting[place]) for place in places)
        rows = [(longest - len(fitting[place])) * [0] + [*fitting[place]] for place in places]
        lengths = torch.tensor([len(fitting[place]) for place in places])
        mask = torch.arange(longest) >= longest - lengths[:, None]
        yield PromptBatch(places, torch.tensor(rows).to(model.device), mask.long().to(model.device))


def backbone_of(model: LanguageModel) -> PreTrainedModel:
    """Return the transformers model that carries the memories, or the model itself."""
    return model.base if isinstance(model, FaastForCausalLM) else model
