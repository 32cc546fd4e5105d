"""Windows as long as the model reads."""

import pytest

from faast.cli.lm._model import LoadedModel
from faast.lm import FaastForCausalLM
from tests.lm.models import tiny


def loaded(kind, **sizes):
    return LoadedModel(FaastForCausalLM.from_base(tiny(kind, **sizes)), tokenizer=None)


def test_windows_fit_the_positions_of_a_model():
    model = loaded("gpt2", n_positions=64)
    assert [model.window_length(length) for length in (None, 8, 64)] == [64, 8, 64]
    with pytest.raises(ValueError, match="65 tokens is too long: the model has 64 positions"):
        model.window_length(65)


def test_a_recurrent_model_reads_windows_of_any_length():
    model = loaded("mamba", state_size=4)
    assert [model.window_length(length) for length in (None, 8, 5000)] == [1024, 8, 5000]
