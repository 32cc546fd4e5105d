"""Gemma as it is compared: with hidden states kept by window, or loaded afresh; and how it is asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Self

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.lm.gemma import gemma_folder
from benchmarks.lm.remembered_body import RememberedBody
from faast.lm.lm_head import token_losses

TIMED_WIDTH = 512


@dataclass(frozen=True)
class Subject:
    """A model whose body is remembered; everything that reads only its end runs on it.

    Attributes
    ----------
    model : PreTrainedModel
    body : RememberedBody
        Its decoder.
    tokenizer : PreTrainedTokenizer
    load : callable
        Returns the model once more, with a decoder of its own.
    dtype : str
        Of its numbers.
    """

    model: Any
    body: RememberedBody
    tokenizer: Any
    load: Callable[[], Any]
    dtype: str

    @classmethod
    def gemma(cls) -> Self:
        """Load Gemma 3 270M, in the numbers that this processor multiplies faster."""
        folder = gemma_folder()
        dtype = min((torch.bfloat16, torch.float32), key=product_seconds)

        def load() -> Any:
            return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()

        model = load()
        model.model = RememberedBody(model.model)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        return cls(model, model.model, tokenizer, load, str(dtype).removeprefix("torch."))

    def clock(self) -> float:
        """Processor seconds, with those that remembering saved."""
        return time.process_time() + self.body.saved_seconds

    @torch.no_grad()
    def forward_seconds(self, windows: Tensor) -> float:
        """Return the seconds of a plain forward pass over a window, logits included."""
        seconds = []
        for window in windows:
            started = self.clock()
            self.model(input_ids=window[None])
            seconds.append(self.clock() - started)
        return median(seconds)


def product_seconds(dtype: torch.dtype) -> float:
    """Return the seconds of a product of two matrices, the better of two tries."""
    matrix, seconds = torch.ones(TIMED_WIDTH, TIMED_WIDTH, dtype=dtype), []
    for _ in range(2):
        started = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - started)
    return min(seconds)


@torch.no_grad()
def window_losses(model: Callable[..., Any], windows: Tensor) -> list[float]:
    """Ask each window: mean loss of its tokens but the first."""
    return [
        float(token_losses(model(input_ids=window[None]).logits[0, :-1], window[1:]).mean())
        for window in windows
    ]


@torch.no_grad()
def labelled_losses(model: Callable[..., Any], windows: Tensor) -> list[float]:
    """Ask each window of a model that tells its loss without logits."""
    return [float(model(input_ids=row[None], labels=row[None]).loss) for row in windows]
