"""In-context learning: the support stands in front of the text, as keys and values of attention."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from benchmarks.lm_baselines.base import Adapted

from faast.lm.architecture import find_architecture

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class InContext:
    """The latest tokens of the support are the prompt of everything that is read.

    Attributes
    ----------
    n_tokens : int, optional
        Length of the prompt; by default as many as the model's positions hold beside a window.
    """

    n_tokens: int | None = None

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Read the prompt once and keep its keys and values; see `Adapter`.

        Raises
        ------
        ValueError
            The model states no positions, or they leave none beside a window.
        """
        length = self.n_tokens or (find_architecture(model).n_positions or 0) - windows.shape[1]
        if length < 1:
            raise ValueError(
                f"a prompt needs positions beside a window of {windows.shape[1]} tokens; the model "
                "states no more, so give n_tokens or shorter windows"
            )
        prompt = windows.flatten()[-length:][None]
        with torch.no_grad():
            kept = model(input_ids=prompt, use_cache=True).past_key_values

        @torch.no_grad()
        def forward(input_ids: Tensor) -> Any:
            cache = copy.deepcopy(kept)  # reading appends to it
            cache.batch_repeat_interleave(len(input_ids))
            return model(input_ids=input_ids, past_key_values=cache, use_cache=True)

        return Adapted(forward, sum(part.keys.nbytes + part.values.nbytes for part in kept.layers))
