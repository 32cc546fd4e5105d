"""Batch prompts for a model: cut them to fit, group similar lengths, pad on the left."""

from __future__ import annotations

import warnings
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
    """Prompts of one forward pass.

    Attributes
    ----------
    indices : list of int
        Positions of these prompts among all prompts.
    input_ids : Tensor of shape (batch, length), int64
        Padded on the left with zeros.
    attention_mask : Tensor of shape (batch, length), int64
        1 on real tokens, 0 on padding.
    """

    indices: list[int]
    input_ids: Tensor
    attention_mask: Tensor


def batch_prompts(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    batch_size: int,
    description: str,
    *,
    new_tokens: int = 0,
    progress: bool = False,
) -> Iterator[PromptBatch]:
    """Batch tokenised prompts in order of their length, on the model's device.

    Parameters
    ----------
    model : FaastForCausalLM or PreTrainedModel
    prompts : sequence of sequence of int
        Token ids. Prompts longer than the model can read lose their beginning, with a warning.
    batch_size : int
        Number of prompts per batch.
    description : str
        Text beside the progress bar.
    new_tokens : int
        Number of positions to keep free for generated tokens.
    progress : bool
        Show a progress bar.

    Raises
    ------
    ValueError
        If the new tokens leave no position for a prompt.
    """
    limit = longest_sequence(model.config)
    if limit is not None and limit <= new_tokens:
        raise ValueError(
            f"{new_tokens} new tokens leave no room for a prompt: the model has {limit} positions; "
            "ask for fewer"
        )
    fitting = prompts if limit is None else _cut(prompts, limit - new_tokens)
    order = sorted(range(len(prompts)), key=lambda index: len(fitting[index]))
    left = iter(order)

    def fraction() -> float:
        return 1 - length_hint(left) / len(order)

    for indices in progress_bar(batched(left, batch_size), fraction, description, enabled=progress):
        longest = max(len(fitting[index]) for index in indices)
        rows = [(longest - len(fitting[index])) * [0] + [*fitting[index]] for index in indices]
        lengths = torch.tensor([len(fitting[index]) for index in indices])
        mask = (torch.arange(longest) >= longest - lengths[:, None]).long()
        yield PromptBatch(indices, torch.tensor(rows).to(model.device), mask.to(model.device))


def _cut(prompts: Sequence[Sequence[int]], length: int) -> list[Sequence[int]]:
    """Leave the end of prompts that are too long, and warn of them."""
    n_cut = sum(len(prompt) > length for prompt in prompts)
    if n_cut:
        warnings.warn(
            f"{n_cut:,} of {len(prompts):,} prompts are longer than the {length:,} tokens that the "
            "model has room for, and their beginning is ignored; shorten them, or generate fewer "
            "tokens",
            UserWarning,
            stacklevel=5,
        )
    return [prompt[-length:] for prompt in prompts]


def backbone_of(model: LanguageModel) -> PreTrainedModel:
    """Return the transformers model inside a model with memories, or a plain model itself."""
    return model.base if isinstance(model, FaastForCausalLM) else model
