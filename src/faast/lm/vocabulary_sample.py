"""A head of some of the tokens, so that learning need not multiply by all of a large vocabulary.

Tokens are drawn with probabilities that grow with what the model expects on the rows to learn, and
each one drawn counts for as many as it stands for (Horvitz & Thompson 1952), so that the sum of
exponentials under every softmax is estimated without bias, as in sampled softmax (Bengio & Senecal
2008). Gradients, curvature and losses then follow as for any other head.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from faast.lm.lm_head import LMHead

SAMPLE_FACTOR = 32
"""Of V tokens, about 32 √V are drawn; vocabularies of up to 32² tokens are used whole."""
SURVEYED_ROWS = 64
"""Number of rows from which the chance of each token is computed."""
EVEN_SHARE = 0.05
"""Share of the sample for which all tokens have the same chance."""


class SampledHead(NamedTuple):
    """A head of some of the tokens.

    Attributes
    ----------
    head : LMHead
    targets : Tensor of shape (n,), int64
        The targets of the rows, as indices of its tokens.
    """

    head: LMHead
    targets: Tensor


def sample_vocabulary(head: LMHead, rows: Tensor, targets: Tensor, seed: int) -> SampledHead:
    """Draw the tokens that matter for some rows; their targets are always among them.

    Parameters
    ----------
    head : LMHead
    rows : Tensor of shape (n, d)
        What enters the head.
    targets : Tensor of shape (n,), int64
    seed : int

    Returns
    -------
    SampledHead
        The head as it is where the vocabulary is small.

    Notes
    -----
    A token's chance is proportional to the mean square root of its probability over the surveyed
    rows: between the probability itself, under which tokens that other rows expect would be drawn
    too seldom, and one chance for all.
    """
    size = SAMPLE_FACTOR * head.vocabulary**0.5
    if size >= head.vocabulary:
        return SampledHead(head, targets)
    expected = _survey(head, rows)
    even = EVEN_SHARE * size / head.vocabulary
    chances = (even + (1 - EVEN_SHARE) * size * expected / expected.sum()).clamp(max=1.0)
    chances[targets] = 1.0
    drawn = _draw(chances, seed)
    index = torch.empty_like(drawn, dtype=torch.long)
    index[drawn] = torch.arange(int(drawn.sum()), device=drawn.device)
    module: nn.Linear = skip_init(nn.Linear, head.width, 1, device="meta")  # type: ignore[no-untyped-call]
    bias = None if head.bias is None else nn.Parameter(head.bias[drawn], requires_grad=False)
    module.weight = nn.Parameter(head.weight[drawn], requires_grad=False)
    module.register_parameter("bias", bias)
    return SampledHead(replace(head, module=module, offset=-chances[drawn].log()), index[targets])


def _survey(head: LMHead, rows: Tensor) -> Tensor:
    """Return the summed square root of each token's probability over some of the rows."""
    n_rows = min(len(rows), SURVEYED_ROWS)
    rows = rows[torch.linspace(0, len(rows) - 1, n_rows, device=rows.device).long()]
    total = torch.zeros(head.vocabulary, device=rows.device)
    for at in head.chunks(n_rows):
        total += head.logits(rows[at]).softmax(dim=-1).sqrt_().sum(dim=0)
    return total


def _draw(chances: Tensor, seed: int) -> Tensor:
    """Return a mask of tokens drawn with these chances, by systematic sampling."""
    start = torch.rand(1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    steps = (chances.double().cumsum(dim=0) + start.to(chances.device)).floor()
    return (steps.diff(prepend=steps.new_zeros(1)) > 0) | (chances >= 1.0)
