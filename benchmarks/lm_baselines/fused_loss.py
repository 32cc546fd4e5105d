"""Train in front of a frozen head of many tokens without keeping its logits.

The logits of a window over 262,144 tokens fill 268 MB, and backpropagation passes over them several times.
Here a few rows at a time go through the head, and leave their loss and its gradient behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

CHUNK_ROWS = 128


class HeadLoss(torch.autograd.Function):
    """Mean loss of tokens (n,) after rows (n, d) under a head E of shape (vocabulary, d)."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, targets: Tensor, weight: Tensor) -> Tensor:
        gradients = torch.empty_like(rows) if ctx.needs_input_grad[0] else None
        total = torch.zeros((), device=rows.device)
        for start in range(0, len(rows), CHUNK_ROWS):
            at = slice(start, start + CHUNK_ROWS)
            logits = functional.linear(rows[at], weight).float()
            at_target = logits.gather(1, targets[at, None])[:, 0]
            top = logits.amax(dim=1, keepdim=True)
            p = logits.sub_(top).exp_()
            sums = p.sum(dim=1)
            total += (sums.log() + top[:, 0] - at_target).sum()
            if gradients is not None:
                expected = p.to(weight.dtype) @ weight
                gradients[at] = expected / sums[:, None].to(weight.dtype) - weight[targets[at]]
        ctx.save_for_backward(gradients)
        return total / len(rows)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        (gradients,) = ctx.saved_tensors
        return gradients * (grad_outputs[0] / len(gradients)).to(gradients.dtype), None, None


@contextmanager
def fused_loss(model: PreTrainedModel) -> Iterator[None]:
    """Let ``model(input_ids=..., labels=...)`` give the loss alone, until the block ends.

    The head must be a linear map without bias, and the model must return what it makes as it is;
    what stands as logits in the output is the input of the head.
    """
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]

    def loss(logits: Tensor, labels: Tensor, *_: Any, **__: Any) -> Tensor:
        rows, targets = logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()
        return HeadLoss.apply(rows, targets, head.weight)  # type: ignore[no-any-return,no-untyped-call]

    before = model.loss_function
    head.forward = lambda hidden: hidden
    model.loss_function = loss
    try:
        yield
    finally:
        del head.forward
        model.loss_function = before
