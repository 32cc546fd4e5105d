"""The paper's memories against numbers that the paper's own code produced."""

import json

import pytest
import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM

from faast.lm import FaastForCausalLM, MemoryConfig

TOLERANCE = 1e-4
CASES = [
    f"{shape}_{memory}"
    for shape in ("gpt2", "llama", "qwen2")
    for memory in (
        "layers1_alpha1.0_update8192",
        "layers2_alpha0.8_update40",
        "layers3_alpha0.6_update8192",
    )
]


class Golden:
    """One golden file: its tensors and the model that it describes."""

    def __init__(self, path):
        with safe_open(path, "pt") as file:
            self.metadata = {key: json.loads(text) for key, text in file.metadata().items()}
            self.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def __getitem__(self, name):
        return self.tensors[name]

    @property
    def base_config(self):
        return AutoConfig.for_model(**{**self.metadata["base_config"], "loss_type": "ForCausalLM"})

    def states(self, prefix):
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }

    def batch(self, index):
        return {name: self[f"learn.{index}.{name}"] for name in ("input_ids", "attention_mask")}

    def build(self):
        base = AutoModelForCausalLM.from_config(self.base_config)
        base.load_state_dict(self.states("state.model."), strict=False)
        memory = self.metadata["memory"]
        config = MemoryConfig.paper(
            memory["num_layers"],
            memory["alpha"],
            buffer_size=memory["max_memory_size"],
            block_size=memory["reader_update_size"],
            interpolation=memory["interpolation"],
            dropout=0.0,
        )
        model = FaastForCausalLM.from_base(base, config)
        for index, readout in enumerate(model.readouts):
            prefix = f"state.external.layers.{index}."
            readout.scorer.weight.data = self[f"{prefix}memory_reader.scorer.weight"]
            readout.out_proj.weight.data = self[f"{prefix}interpreter.out_proj.weight"]
        return model


@pytest.fixture(params=CASES)
def golden(request, shared):
    return Golden(shared / "golden" / f"lm_{request.param}.safetensors")


def relative_error(given, expected):
    return float(torch.linalg.norm(given - expected) / torch.linalg.norm(expected))


def layer_weights(model):
    """W of every memory by the number of blocks in front of it, out x in."""
    n_blocks = model.config.num_hidden_layers
    parts = model._adapters["default"].parts
    return {
        n_blocks if part.point == "last" else part.point: part.pairs.weights.T for part in parts
    }


@torch.no_grad()
def test_every_learn_gives_the_published_logits_and_weights(golden):
    model = golden.build()
    query = golden["query.input_ids"]
    assert relative_error(model(query).logits, golden["logits.base"]) <= TOLERANCE
    for index in range(3):
        model.learn(**golden.batch(index))
        expected = golden[f"logits.after.{index}"]
        assert relative_error(model(query).logits, expected) <= TOLERANCE
        for layer, weights in layer_weights(model).items():
            published = golden[f"W.after.{index}.layer{layer}"]
            assert relative_error(weights, published) <= TOLERANCE


def test_greedy_generation_is_the_published_one(golden):
    model = golden.build()
    for index in range(3):
        model.learn(**golden.batch(index))
    expected = golden["generate.ids"]
    prompt = golden["query.input_ids"][:1]
    generated = model.generate(prompt, max_length=expected.shape[1], do_sample=False)
    assert torch.equal(generated, expected)


def test_one_training_step_has_the_published_loss_and_gradients(golden):
    model = golden.build().train()
    batch = golden.batch(0)
    model.learn(**batch)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    loss = model(**batch, labels=labels).loss
    loss.backward()
    assert relative_error(loss.detach(), golden["train.loss"][0]) <= TOLERANCE
    for block, readout in zip(model._layers, model.readouts, strict=True):
        for name in ("scorer", "out_proj"):
            gradient = getattr(readout, name).weight.grad
            published = golden[f"train.grad.{name}.layer{block}"]
            assert relative_error(gradient, published) <= TOLERANCE
    assert all(parameter.grad is None for parameter in model.base.parameters())
