"""Backbones that cannot carry memories are refused with the way out; replaced parts are seen."""

import pytest
import torch

from faast.lm import FaastForCausalLM, MemoryConfig, UnsupportedModelError
from faast.lm.hooks import Hooks
from tests.lm.models import VOCABULARY, tiny
from tests.lm.test_forged_files import is_clean

EXACT = MemoryConfig("pseudoinverse", middle_layers=1)


@torch.no_grad()
def logits(model, tokens):
    return model(tokens).logits


def offloaded(base, folder):
    return pytest.importorskip("accelerate").cpu_offload(base, execution_device="cpu")


def on_disk(base, folder):
    accelerate = pytest.importorskip("accelerate")
    return accelerate.disk_offload(base, folder, execution_device="cpu")


def quantised(base, folder):
    return torch.ao.quantization.quantize_dynamic(base, {torch.nn.Linear}, dtype=torch.qint8)


def without_weights(base, folder):
    return base.to("meta")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("config", [MemoryConfig(), EXACT], ids=["natural", "exact"])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (offloaded, "load the model without offloading"),
        (on_disk, "load the model without offloading"),
        (without_weights, "load the model without offloading"),
        (quantised, "output embeddings .* are quantised.*leave them out"),
    ],
)
def test_weights_out_of_reach_are_refused(llama, tmp_path, config, make, message):
    base = make(llama, tmp_path)
    with pytest.raises(UnsupportedModelError, match=message):
        FaastForCausalLM.from_base(base, config)


def test_a_wrapper_with_adapters_names_the_way_out(llama):
    class Wrapped(torch.nn.Module):
        def merge_and_unload(self):
            return llama

    with pytest.raises(UnsupportedModelError, match="merge_and_unload"):
        FaastForCausalLM.from_base(Wrapped())


def replace_head(base):
    head = base.get_output_embeddings()
    base.set_output_embeddings(torch.nn.Linear(head.in_features, head.out_features, bias=False))


def replace_block(base):
    base.model.layers[1] = base.model.layers[2]


@pytest.mark.parametrize("config", [MemoryConfig(), EXACT], ids=["natural", "exact"])
@pytest.mark.parametrize(
    "change",
    [lambda base: base.resize_token_embeddings(104), replace_head, replace_block],
    ids=["resized", "head", "block"],
)
def test_replaced_parts_are_never_silently_unread(llama, tokens, tmp_path, config, change):
    model = FaastForCausalLM.from_base(llama, config).learn(tokens)
    change(llama)
    calls = [
        lambda: model(tokens),
        lambda: llama(tokens),
        lambda: model.generate(tokens[:1, :4], max_new_tokens=2),
        lambda: model.learn(tokens),
        lambda: model.fold(),
        lambda: model.save_pretrained(tmp_path / "memory"),
    ]
    for call in calls:
        with pytest.raises(UnsupportedModelError, match="were replaced after memories"):
            call()
    assert not (tmp_path / "memory").exists()
    model.detach()
    assert is_clean(llama)
    again = FaastForCausalLM.from_base(llama, config).learn(tokens)
    assert again.memory_size


def test_embeddings_resized_in_place_are_followed(gpt2, tokens):
    model = FaastForCausalLM.from_base(gpt2).learn(tokens)
    before = logits(model, tokens)
    gpt2.resize_token_embeddings(104)
    torch.testing.assert_close(logits(model, tokens)[..., :VOCABULARY], before)
    model.learn(tokens)
    folded = model.fold()
    torch.testing.assert_close(logits(folded, tokens), logits(model, tokens), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("error", [ValueError, MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("method", ["hidden_states", "_attach"])
def test_an_error_while_attaching_leaves_no_hook(monkeypatch, error, method):
    base = tiny("llama", intermediate_size=48, num_key_value_heads=2).train()
    original = getattr(Hooks, method)

    def fail(self, *arguments):
        original(self, *arguments)
        raise error

    monkeypatch.setattr(Hooks, method, fail)
    with pytest.raises(error):
        FaastForCausalLM.from_base(base, EXACT)
    assert is_clean(base)
    assert base.training
