"""Memories of several settings on one backbone: each is read as if it were alone."""

import torch

from faast.lm import FaastForCausalLM, MemoryConfig, memory_folder
from faast.lm.architecture import FINGERPRINT_SIZE
from faast.lm.backbone import Backbone
from tests.lm.models import tiny

CONFIGS = (
    MemoryConfig(output=None, recall=True),
    MemoryConfig(recall=True),
    MemoryConfig("pseudoinverse"),
)


def logits(model, tokens):
    with torch.no_grad():
        return model(input_ids=tokens).logits


def test_memories_of_several_settings_are_read_as_each_alone(llama, tokens):
    alone = []
    for config in CONFIGS:
        model = FaastForCausalLM(llama, config).learn(tokens[:8])
        alone.append(logits(model, tokens[8:]))
        model.detach()
    plain = logits(llama, tokens[8:])
    models = [FaastForCausalLM(llama, config) for config in CONFIGS]
    for model in models:
        with model.use_adapter("known"):
            model.learn(tokens[:8])
    assert torch.equal(logits(llama, tokens[8:]), plain)
    for model, expected in zip(models, alone, strict=True):
        with model.use_adapter("known"):
            assert torch.equal(logits(llama, tokens[8:]), expected)


def test_a_memory_is_folded_and_exported_beside_others(llama, tokens, tmp_path):
    model = FaastForCausalLM(llama, MemoryConfig()).learn(tokens[:8])
    expected = logits(model.fold(), tokens[8:])
    model.detach()
    FaastForCausalLM(llama, CONFIGS[0])  # whose hooks come first, and see no head
    model = FaastForCausalLM(llama, MemoryConfig()).learn(tokens[:8])
    assert torch.equal(logits(model.fold(), tokens[8:]), expected)


def test_an_adapter_is_copied_and_taken_from_a_file(llama, tokens):
    model = FaastForCausalLM(llama, CONFIGS[0]).learn(tokens[:8])
    learned = logits(model, tokens[8:])
    model.copy_adapter("default", "twin")
    model.add_adapter("read", model.to_content())
    model.reset()
    for name in ("twin", "read"):
        with model.use_adapter(name):
            assert torch.equal(logits(model, tokens[8:]), learned)
    model.copy_adapter("nobody", "twin")
    assert model.adapters == ["read"]


def test_a_file_of_an_untaught_model_takes_from_an_adapter_what_it_had_learned(
    llama, tokens, tmp_path
):
    model = FaastForCausalLM(llama, CONFIGS[0])
    model.save_pretrained(tmp_path)
    with model.use_adapter("taught"):
        model.learn(tokens[:8])
    model.add_adapter("taught", memory_folder.read(tmp_path))
    assert model.adapters == []


def test_a_backbone_with_more_weights_than_float32_counts_has_a_fingerprint():
    sizes = {"hidden_size": 4, "intermediate_size": 4, "num_attention_heads": 1}
    model = tiny("llama", vocab_size=2**22 + 1, num_hidden_layers=1, **sizes)
    assert len(Backbone.from_model(model).fingerprint()) == FINGERPRINT_SIZE
