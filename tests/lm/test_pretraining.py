import random

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from faast.core.persistence import ModelFileError
from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.pretraining import paper_arguments, pretrain
from tests.lm.models import tiny

STEPS = 6


@pytest.fixture
def rows(tokens):
    return [{"input_ids": row} for row in tokens.repeat(2, 1)]


def attached(base, **settings):
    return FaastForCausalLM.from_base(
        base, MemoryConfig.paper(2, 1.0, buffer_size=200, block_size=80, **settings)
    )


def arguments(folder, **changes):
    settings = {
        "use_cpu": True,
        "learning_rate": 0.02,
        "warmup_steps": 0,
        "max_steps": STEPS,
        "per_device_train_batch_size": 4,
        "logging_steps": 1,
    }
    return paper_arguments(folder, **{**settings, **changes})


def losses(history):
    return [entry["loss"] for entry in history if "loss" in entry]


def readouts_of(model):
    return {name: weight.clone() for name, weight in model.readouts.state_dict().items()}


@pytest.fixture(params=["llama", "gpt2"])
def base(request):
    return request.getfixturevalue(request.param)


def test_only_readouts_change_and_the_loss_falls(base, rows, tmp_path):
    before = {name: weight.clone() for name, weight in base.state_dict().items()}
    model = attached(base)
    untrained = readouts_of(model)
    history = losses(pretrain(model, rows, arguments(tmp_path, max_steps=20)))
    assert history[-1] < 0.9 * history[0]
    assert all(torch.equal(weight, before[name]) for name, weight in base.state_dict().items())
    assert all(weight.requires_grad for weight in base.parameters())
    assert all(not torch.equal(w, untrained[name]) for name, w in readouts_of(model).items())
    assert not model.training
    assert model.memory_size == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_written_reads_back(base, dtype, rows, tokens, tmp_path):
    base.to(dtype).save_pretrained(tmp_path / "base")
    model = attached(AutoModelForCausalLM.from_pretrained(tmp_path / "base"))
    pretrain(model, rows, arguments(tmp_path / "out"))
    again = FaastForCausalLM.from_pretrained(tmp_path / "out", base=tmp_path / "base")
    assert again.dtype == model.readouts[0].out_proj.weight.dtype == dtype
    assert again.memory_config == model.memory_config
    expected = model.learn(tokens[:6])(tokens[6:]).logits
    assert torch.equal(again.learn(tokens[:6])(tokens[6:]).logits, expected)


def test_resuming_equals_never_stopping(rows, tmp_path):
    def trained(folder, **changes):
        model = attached(tiny("llama", intermediate_size=48))
        resume = changes.pop("resume", False)
        history = pretrain(model, rows, arguments(folder, save_steps=3, **changes), resume=resume)
        return losses(history), readouts_of(model)

    whole, expected = trained(tmp_path / "whole")
    trained(tmp_path / "parts")
    for later in ("checkpoint-6", "config.json", "model.safetensors"):
        (tmp_path / "parts" / later).rename(tmp_path / later)
    resumed, given = trained(tmp_path / "parts", resume=True)
    assert resumed == whole
    assert all(torch.equal(given[name], weight) for name, weight in expected.items())


def test_recomputing_activations_changes_nothing(base, rows, tmp_path):
    plain = losses(pretrain(attached(base), rows, arguments(tmp_path / "plain")))
    changed = {"activation_checkpointing": True}
    recomputed = losses(pretrain(attached(base), rows, arguments(tmp_path / "less", **changed)))
    assert recomputed == pytest.approx(plain, rel=1e-5)


def test_bfloat16_follows_float32(base, rows, tmp_path):
    full = losses(pretrain(attached(base, dropout=0.0), rows, arguments(tmp_path / "full")))
    half = losses(
        pretrain(attached(base, dropout=0.0), rows, arguments(tmp_path / "half", bf16=True))
    )
    assert half == pytest.approx(full, rel=0.05)


def test_global_random_states_are_left_alone(llama, rows, tmp_path):
    def drawn():
        legacy = np.random.get_state()[1].tolist()  # noqa: NPY002
        return random.getstate(), legacy, torch.random.get_rng_state()

    before = drawn()
    pretrain(attached(llama), rows, arguments(tmp_path))
    after = drawn()
    assert after[:2] == before[:2]
    assert torch.equal(after[2], before[2])


def test_padding_teaches_nothing(llama, tokens, tmp_path):
    mask = torch.ones_like(tokens)
    mask[:, 15:] = 0
    histories = [
        losses(
            pretrain(
                attached(llama),
                [
                    {"input_ids": torch.where(real == 1, row, padding), "attention_mask": real}
                    for row, real in zip(tokens, mask, strict=True)
                ],
                arguments(tmp_path / str(padding)),
            )
        )
        for padding in (0, 5)
    ]
    assert histories[0] == histories[1]


def test_what_does_not_fit_is_refused(llama, rows, tokens, tmp_path):
    with pytest.raises(ValueError, match=r"MemoryConfig\.paper"):
        pretrain(FaastForCausalLM.from_base(llama), rows, arguments(tmp_path))
    model = attached(llama)
    with pytest.raises(ValueError, match="no checkpoint"):
        pretrain(model, rows, arguments(tmp_path), resume=True)
    with pytest.raises(ValueError, match="reset"):
        pretrain(model.learn(tokens), rows, arguments(tmp_path))
    model.reset()
    with pytest.raises(ValueError, match="positions"):
        pretrain(model, [{"input_ids": row} for row in tokens.repeat(1, 4)], arguments(tmp_path))
    assert not model.training
    assert model.memory_size == 0
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_backbone_is_refused(llama, rows, tmp_path):
    pretrain(attached(llama), rows, arguments(tmp_path, save_steps=3))
    with pytest.raises(ValueError, match="holds checkpoint-6"):
        pretrain(attached(llama), rows, arguments(tmp_path))
    other = attached(tiny("llama", seed=1, intermediate_size=48, num_key_value_heads=2))
    before = readouts_of(other)
    with pytest.raises(ModelFileError, match="differ from those"):
        pretrain(other, rows, arguments(tmp_path), resume=True)
    assert all(torch.equal(weight, before[name]) for name, weight in readouts_of(other).items())
    with pytest.raises(ModelFileError, match="other settings"):
        pretrain(attached(llama, dropout=0.2), rows, arguments(tmp_path), resume=True)
