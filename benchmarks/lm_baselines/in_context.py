"""In-context learning: put the end of the support text in front of every input."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.lm_baselines.base import AdaptedModel
from faast.lm.architecture import find_architecture

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class InContext:
    """Use the last tokens of the support text as a prompt, kept as a cache of keys and values.

    Where every window starts with the model's begin token, they are joined to one text that starts
    with it, and a window that is asked continues that text: begin tokens in between would tell the
    model that another document starts.

    Attributes
    ----------
    n_tokens : int, optional
        Length of the prompt. By default, the number of positions of the model less one window.
    """

    n_tokens: int | None = None

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> AdaptedModel:
        """Run the prompt through the model once and keep its cache; see `AdaptationMethod`.

        Raises
        ------
        ValueError
            If `n_tokens` is not given, and the model has no more positions than a window, or its
            configuration does not state their number.
        """
        length = self.n_tokens or (find_architecture(model).n_positions or 0) - windows.shape[1]
        if length < 1:
            raise ValueError(
                f"a prompt needs positions beside a window of {windows.shape[1]} tokens; the model "
                "states no more, so give n_tokens or shorter windows"
            )
        begin, rest = windows[:, 0], windows[:, 1:]
        if bool((begin == model.config.bos_token_id).all()):
            text = rest.flatten()[-length:]
            prompt, last = torch.cat([begin[:1], text[:-1]]), text[-1:]
        else:
            prompt, last = windows.flatten()[-length:], begin[:0]
        with torch.no_grad():
            prompt_cache = model.base_model(input_ids=prompt[None], use_cache=True).past_key_values

        @torch.no_grad()
        def forward(input_ids: Tensor) -> Any:
            continued = torch.cat(
                [last.expand(len(input_ids), -1), input_ids[:, len(last) :]], dim=1
            )
            cache = copy.deepcopy(prompt_cache)  # the forward pass appends to it
            cache.batch_repeat_interleave(len(input_ids))
            return model(input_ids=continued, past_key_values=cache, use_cache=True)

        n_bytes = sum(layer.keys.nbytes + layer.values.nbytes for layer in prompt_cache.layers)
        return AdaptedModel(forward, n_bytes)
