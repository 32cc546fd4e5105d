"""Copies of a model that has memories, and other memories beside them: each works as if alone."""

import copy
import io
import pickle

import pytest
import torch

from faast.lm import FaastForCausalLM, MemoryConfig
from tests.lm.models import tiny

CONFIGS = {
    "natural": MemoryConfig(),
    "exact": MemoryConfig("pseudoinverse"),
    "recall": MemoryConfig(output=None, recall=True),
    "natural and recall": MemoryConfig(recall=True),
    "paper": MemoryConfig.paper(1),
}


@torch.no_grad()
def logits(model, tokens):
    return model(input_ids=tokens).logits


def written(model, tokens):
    """Greedy tokens and their logits, with the cache."""
    settings = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    found = model.generate(tokens, **settings, output_logits=True, return_dict_in_generate=True)
    return found.sequences, torch.stack(found.logits)


def through_torch(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), through_torch],
    ids=["deepcopy", "pickle", "torch.save"],
)
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_copy_writes_what_the_model_writes(kind, copied, llama, tokens):
    model = FaastForCausalLM.from_base(llama, CONFIGS[kind]).learn(tokens[:8])
    sequences, expected = written(model, tokens[8:, :7])
    twin = copied(model)
    model.reset()  # the copy does not follow
    again, found = written(twin, tokens[8:, :7])
    assert torch.equal(again, sequences)
    assert torch.equal(found, expected)
    assert torch.equal(logits(twin, sequences)[:, 6:-1].argmax(-1), sequences[:, 7:])
    twin.detach()
    model.detach()


@pytest.mark.parametrize("first", [0, 1, 2])
def test_detaching_one_memory_leaves_the_others(first, llama, tokens):
    models = [FaastForCausalLM(llama, CONFIGS["recall"]).learn(tokens[:4]) for _ in range(3)]
    models[first].detach()
    left = [model for model in models if model is not models[first]]
    sequences, found = written(left[0], tokens[8:, :7])
    whole = logits(left[0], sequences)[:, 6:-1]
    torch.testing.assert_close(found.transpose(0, 1), whole, rtol=1e-4, atol=1e-4)
    for model in left:
        model.detach()
    plain = tiny("llama", intermediate_size=48, num_key_value_heads=2, max_position_embeddings=64)
    assert torch.equal(logits(llama, sequences), logits(plain, sequences))
    assert vars(llama).keys() == vars(plain).keys()


@pytest.mark.parametrize("later", CONFIGS)
@pytest.mark.parametrize("earlier", CONFIGS)
def test_what_a_memory_learns_does_not_depend_on_another(earlier, later, llama, tokens):
    alone = FaastForCausalLM(llama, CONFIGS[later]).learn(tokens[8:])
    expected = logits(alone, tokens[:4])
    alone.detach()
    other = FaastForCausalLM(llama, CONFIGS[earlier]).learn(tokens[:8])  # and is not solved yet
    model = FaastForCausalLM(llama, CONFIGS[later]).learn(tokens[8:])
    other.detach()
    assert torch.equal(logits(model, tokens[:4]), expected)


def test_tokens_may_have_32_bits(llama, tokens):
    model = FaastForCausalLM(llama, CONFIGS["natural and recall"]).learn(tokens[:8].int())
    assert torch.equal(logits(model, tokens[8:].int()), logits(model, tokens[8:]))
    for short in (tokens[8:, :1], tokens[8:, :7]):
        assert torch.equal(written(model, short.int())[1], written(model, short)[1])


@pytest.mark.parametrize("names", [[1, 2], [None], [""], [], None, 3])
def test_an_adapter_has_a_name(names, llama):
    model = FaastForCausalLM(llama)
    with pytest.raises(ValueError, match="expected an adapter's name"), model.use_adapter(names):
        pass
    assert model.adapters == []
