"""Changes of one model's memories follow one another, and each happens as a whole or not at all."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from faast.core.moments import Moments
from faast.core.persistence import ModelFileError
from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.adapters import Adapters
from faast.lm.document_sample import DocumentSample
from faast.lm.exact_memory import ExactPairs
from faast.lm.layer_memory import LayerMemory
from faast.lm.natural import NaturalPass
from faast.lm.ngram_counts import NgramCounts
from faast.lm.paper_memory import PairBuffer
from faast.lm.validation_sample import ValidationSample

EXACT = MemoryConfig("pseudoinverse", middle_layers=1)
CONFIGS = {
    "natural": MemoryConfig(),
    "exact": EXACT,
    "paper": MemoryConfig.paper(1),
    "recall": MemoryConfig(output=None, recall=True),
}


def state_of(model):
    states = model._adapters.to_states()
    return {name: (dict(state.tensors), state.metadata) for name, state in states.items()}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, (tensors, metadata) in expected.items():
        assert found[name][1] == metadata
        assert found[name][0].keys() == tensors.keys()
        assert all(np.array_equal(found[name][0][key], part) for key, part in tensors.items())


@pytest.fixture
def often_switched():
    """Let threads take turns as often as the interpreter allows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("name", CONFIGS)
def test_nothing_that_threads_learn_is_lost(llama, tokens, often_switched, name):
    model = FaastForCausalLM.from_base(llama, CONFIGS[name])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: model.learn(tokens[i % 12 : i % 12 + 1]), range(48)))
    assert model.memory_size == 48 * 19
    if name in ("exact", "recall"):
        found = state_of(model)
        model.reset().learn(tokens.repeat(4, 1))
        pairs = {
            key: tensor
            for key, tensor in state_of(model)["default"][0].items()
            if "validation" not in key
        }
        assert all(np.array_equal(found["default"][0][key], part) for key, part in pairs.items())


def test_a_pass_reads_what_was_learned_before_it(llama, tokens):
    model = FaastForCausalLM.from_base(llama, MemoryConfig(recall=True))
    with model.use_adapter(["one", "two"]):
        model.learn(tokens)
        with torch.no_grad():
            before = model(tokens[:2]).logits

    def learn():
        with model.use_adapter("two"):
            model.learn((tokens + 1) % 90)

    def learn_meanwhile(*_):
        handle.remove()
        with ThreadPoolExecutor(1) as threads:
            threads.submit(learn).result()

    handle = llama.model.layers[1].register_forward_hook(learn_meanwhile)
    with torch.inference_mode(), model.use_adapter(["one", "two"]):
        assert torch.equal(model(tokens[:2]).logits, before)
        assert not torch.equal(model(tokens[:2]).logits, before)
    with model.use_adapter("two"):
        model(tokens[:2])  # in grad mode


def test_threads_with_memories_of_their_own_lose_none(llama, tokens, often_switched):
    model = FaastForCausalLM.from_base(llama)

    def learn(index):
        with model.use_adapter(f"reader {index}"):
            model.learn(tokens[:2])
            if index % 3 == 0:
                model.reset()
        return model.adapters, model.memory_bytes

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(learn, range(48)))
    assert len(model.adapters) == 32


PLACES = [
    ("natural", Adapters, "_change"),
    ("natural", NaturalPass, "_propose"),
    ("exact", Moments, "add"),
    ("exact", Moments, "subtract"),
    ("exact", ExactPairs, "learn"),
    ("exact", ExactPairs, "forget"),
    ("exact", ExactPairs, "merge"),
    ("exact", LayerMemory, "learn"),
    ("exact", ValidationSample, "learn"),
    ("exact", ValidationSample, "forget"),
    ("exact", ValidationSample, "merge"),
    ("paper", PairBuffer, "learn"),
    ("recall", NgramCounts, "learn"),
    ("recall", DocumentSample, "forget"),
    ("recall", DocumentSample, "merge"),
]


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "owner", "method"), PLACES)
def test_an_error_in_the_middle_changes_nothing(
    llama, tokens, monkeypatch, name, owner, method, after, error
):
    config = CONFIGS[name]
    model = FaastForCausalLM.from_base(llama, config).learn(tokens.repeat(3, 1))
    with model.use_adapter("other"):
        model.learn(tokens[:4])
    other = FaastForCausalLM.from_base(llama, config).learn(tokens[:3])
    before = state_of(model)
    original = getattr(owner, method)
    if method == "_change":
        after = False

    def fail(self, *arguments):
        if after:
            original(self, *arguments)
        raise error

    def learn_both():
        with model.use_adapter(["default", "other"] * 6):
            model.learn(tokens.repeat(3, 1))

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, fail)
        for call in (learn_both, lambda: model.forget(tokens), lambda: model.merge(other)):
            try:
                call()
            except (error, ValueError):
                assert_same(state_of(model), before)
            before = state_of(model)
    with torch.no_grad():
        assert torch.isfinite(model(tokens).logits).all()


@pytest.mark.parametrize("error", [MemoryError, ModelFileError])
def test_an_error_while_memories_are_loaded_changes_nothing(
    llama, tokens, tmp_path, monkeypatch, error
):
    config = CONFIGS["paper"]
    saved = FaastForCausalLM.from_base(llama, config).learn(tokens)
    torch.nn.init.eye_(saved.readouts[0].out_proj.weight)
    saved.save_pretrained(tmp_path / "memory")
    saved.detach()
    model = FaastForCausalLM.from_base(llama, config).learn(tokens[:2])
    before, readouts = state_of(model), model.readouts[0].out_proj.weight.clone()

    def fail(self, memories):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Adapters, "replace", fail)
        with pytest.raises(error):
            model.load_memories(tmp_path / "memory")
        with pytest.raises(error):
            FaastForCausalLM.from_pretrained(tmp_path / "memory", base=llama)
    assert_same(state_of(model), before)
    assert torch.equal(model.readouts[0].out_proj.weight, readouts)
    model.detach()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in llama.modules())
