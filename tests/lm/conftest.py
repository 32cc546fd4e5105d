"""Tiny models and the shared folder."""

import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason='needs pip install "faast[lm]"')
pytest.importorskip("transformers", reason='needs pip install "faast[lm]"')

import torch
from transformers import AutoConfig, AutoModelForCausalLM

VOCABULARY = 97


@pytest.fixture
def tokens():
    """Twelve sequences of 20 tokens that repeat themselves, so that there is something to learn."""
    generator = torch.Generator().manual_seed(3)
    starts = torch.randint(0, VOCABULARY, (12, 5), generator=generator)
    return starts.repeat(1, 4)


def tiny(kind, seed=0, **settings):
    """A random model of a few thousand parameters."""
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": None,
    }
    config = AutoConfig.for_model(kind, **{**sizes, **settings})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and "norm" not in name:
                torch.nn.init.normal_(parameter, std=0.15)
    return model.eval()


@pytest.fixture
def llama():
    return tiny("llama", intermediate_size=48, num_key_value_heads=2, max_position_embeddings=64)


@pytest.fixture
def gpt2():
    return tiny("gpt2", n_positions=64)
