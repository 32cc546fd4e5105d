"""A tiny model and a tokenizer of words; tests that need them are not collected without torch."""

import importlib.util

import pytest

if importlib.util.find_spec("torch") and importlib.util.find_spec("transformers"):
    from tests.lm.conftest import tokens as tokens
    from tests.lm.models import tiny, word_tokenizer
else:
    collect_ignore_glob = ["test_prompting.py", "test_few_shot.py", "test_perplexity.py"]


@pytest.fixture
def llama():
    return tiny("llama", intermediate_size=48, num_key_value_heads=2, max_position_embeddings=64)


@pytest.fixture
def tokenizer():
    return word_tokenizer("a good bad fine film was seen by the king Review: Sentiment: very")
