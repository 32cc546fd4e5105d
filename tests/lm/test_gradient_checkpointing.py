import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from faast.lm.pretraining import gradient_checkpointing


@pytest.fixture(params=["llama", "gpt2"])
def base(request):
    return request.getfixturevalue(request.param)


def step(model, tokens):
    """Bytes kept for the backward pass, and the gradients that it gives."""
    kept = []
    with saved_tensors_hooks(lambda t: (kept.append(t.nbytes), t)[1], lambda t: t):
        loss = model(input_ids=tokens, labels=tokens, use_cache=False).loss
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    return sum(kept), gradients


def blocks_of(model):
    return model.model.layers if hasattr(model, "model") else model.transformer.h


def test_less_is_kept_for_the_same_gradients(base, tokens):
    kept, expected = step(base, tokens)
    with gradient_checkpointing(blocks_of(base)):
        kept_less, gradients = step(base, tokens)
    assert kept_less < 0.5 * kept
    for given, wanted in zip(gradients, expected, strict=True):
        torch.testing.assert_close(given, wanted)


def test_blocks_are_left_as_they_were(base):
    blocks = blocks_of(base)
    replaced = blocks[0].forward = lambda *args, **kwargs: None
    with pytest.raises(KeyError), gradient_checkpointing(blocks):
        raise KeyError
    assert blocks[0].forward is replaced
    assert all("forward" not in vars(block) for block in blocks[1:])
