"""Tiny models, and tokens that are worth learning; nothing is collected without torch."""

import importlib.util

import pytest

if importlib.util.find_spec("torch") and importlib.util.find_spec("transformers"):
    import torch

    from tests.lm.models import VOCABULARY, tiny

    torch.set_num_threads(1)  # tiny products: threads only wait for each other
else:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def tokens():
    """Twelve sequences of 20 tokens of a language where each of 30 tokens has one next token."""
    generator = torch.Generator().manual_seed(3)
    cycle = torch.randperm(VOCABULARY - 2, generator=generator)[:30] + 2
    starts = torch.randint(0, 30, (12, 1), generator=generator)
    return cycle[(starts + torch.arange(20)) % 30]


@pytest.fixture
def llama():
    return tiny("llama", intermediate_size=48, num_key_value_heads=2, max_position_embeddings=64)


@pytest.fixture
def gpt2():
    return tiny("gpt2", n_positions=64)
