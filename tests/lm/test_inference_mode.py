"""What is learned or solved inside torch.inference_mode is as what is learned outside."""

import pytest
import torch

from faast.lm import FaastForCausalLM, MemoryConfig
from tests.lm.models import tiny

CONFIGS = [
    MemoryConfig(),
    MemoryConfig(recall=True),
    MemoryConfig("pseudoinverse"),
    MemoryConfig.paper(1),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_memories_of_inference_mode_serve_autograd(config, tokens, tmp_path):
    first, second, third = (tiny("llama") for _ in range(3))
    expected = FaastForCausalLM(first, config).learn(tokens[:6]).learn(tokens[6:])
    with torch.inference_mode():
        model = FaastForCausalLM(second, config).learn(tokens[:6]).learn(tokens[6:])
        inside = model(tokens).logits
        model.save_pretrained(tmp_path / "memory")
        read = FaastForCausalLM.from_pretrained(tmp_path / "memory", third)
    for one in (model, read):
        logits = one(tokens).logits
        logits.sum().backward()
        assert all(weight.grad is not None for weight in one.base.parameters())
        torch.testing.assert_close(logits.detach(), inside, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(logits, expected(tokens).logits, rtol=1e-4, atol=1e-4)
