"""Every architecture: no-op, learn, cache, padding, beams, bfloat16, files, threads."""

import threading
from pathlib import Path

import pytest
import torch

from faast.lm import FaastForCausalLM, MemoryConfig
from tests.lm.models import tiny

LLAMA_LIKE = {"intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 64}
ARCHITECTURES = {
    "gpt2": {"n_positions": 64},
    "gpt_neox": {"intermediate_size": 48, "max_position_embeddings": 64},
    "opt": {"ffn_dim": 48, "max_position_embeddings": 64, "word_embed_proj_dim": 32},
    "llama": LLAMA_LIKE,
    "mistral": LLAMA_LIKE,
    "qwen2": LLAMA_LIKE,
    "qwen3": {**LLAMA_LIKE, "head_dim": 8},
    "gemma2": {**LLAMA_LIKE, "head_dim": 8, "final_logit_softcapping": 5.0},
    "gemma3_text": {**LLAMA_LIKE, "head_dim": 8},
    "phi3": LLAMA_LIKE,
    "phi": {"intermediate_size": 48, "max_position_embeddings": 64},
    "olmo2": LLAMA_LIKE,
    "falcon": {"max_position_embeddings": 64},
    "cohere": {**LLAMA_LIKE, "logit_scale": 0.5},
    "granite": {**LLAMA_LIKE, "logits_scaling": 2.0},
    "mixtral": {**LLAMA_LIKE, "num_local_experts": 2},
    "mamba": {"state_size": 4, "num_attention_heads": None},
    "falcon_h1": {
        **LLAMA_LIKE,
        "mamba_d_ssm": 32,
        "mamba_n_heads": 4,
        "mamba_d_head": 8,
        "mamba_d_state": 8,
        "lm_head_multiplier": 0.5,
    },
}
NATURAL = MemoryConfig()
RECALLING = MemoryConfig(recall=True)
EVERYWHERE = MemoryConfig("pseudoinverse", middle_layers=2, alpha=0.5, interpolation=0.5)


def build(kind, config=NATURAL):
    settings = {name: value for name, value in ARCHITECTURES[kind].items() if value is not None}
    base = tiny(kind, **settings)
    model = FaastForCausalLM.from_base(base, config)
    generator = torch.Generator().manual_seed(5)
    for readout in model.readouts:  # as if trained
        for parameter in readout.parameters():
            parameter.data.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.fixture(params=ARCHITECTURES)
def kind(request):
    return request.param


@pytest.fixture(params=[NATURAL, EVERYWHERE, RECALLING], ids=["natural", "everywhere", "recalling"])
def learned(request, kind, tokens):
    model = build(kind, request.param)
    for half in tokens.split(6):
        model.learn(half)
    return model


@torch.no_grad()
def test_memories_change_nothing_until_they_learn_and_leave_no_trace(kind, tokens):
    base = tiny(kind, **{k: v for k, v in ARCHITECTURES[kind].items() if v is not None})
    before = base(tokens).logits
    model = FaastForCausalLM.from_base(base, EVERYWHERE)
    assert torch.equal(model(tokens).logits, before)
    assert not torch.equal(model.learn(tokens)(tokens).logits, before)
    assert torch.equal(model.detach()(tokens).logits, before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in base.modules())


@torch.no_grad()
def test_natural_learning_lowers_the_loss(kind, tokens):
    model = build(kind)
    before = model(tokens, labels=tokens).loss
    model.learn(tokens)
    assert model(tokens, labels=tokens).loss < before - 0.1


@torch.no_grad()
def test_generation_with_the_cache_is_generation_without(learned, tokens):
    settings = {"max_new_tokens": 6, "do_sample": False}
    cached = learned.generate(tokens[:3, :7], use_cache=True, **settings)
    assert torch.equal(cached, learned.generate(tokens[:3, :7], use_cache=False, **settings))


@torch.no_grad()
def test_beams_and_left_padding_generate(learned, tokens):
    settings = {"max_new_tokens": 4, "do_sample": False, "num_beams": 3}
    alone = learned.generate(tokens[:1, :7], **settings)[:, 7:]
    padded = torch.cat([torch.zeros(1, 3, dtype=torch.long), tokens[:1, :7]], dim=1)
    mask = (padded != 0).long()
    beside = learned.generate(padded, attention_mask=mask, **settings)[:, 10:]
    assert torch.equal(alone, beside)


@torch.no_grad()
def test_left_and_right_padding_teach_the_same(kind, tokens):
    pad = torch.zeros(len(tokens), 4, dtype=torch.long)
    logits = []
    for padded in (torch.cat([tokens, pad], 1), torch.cat([pad, tokens], 1)):
        model = build(kind, EVERYWHERE).learn(padded, attention_mask=(padded != 0).long())
        assert model.memory_size == tokens[:, 1:].numel()
        logits.append(model(tokens).logits)
    torch.testing.assert_close(*logits, rtol=1e-2, atol=1e-2)


@torch.no_grad()
def test_bfloat16_learns(kind, tokens):
    settings = {name: value for name, value in ARCHITECTURES[kind].items() if value is not None}
    model = FaastForCausalLM.from_base(tiny(kind, **settings).bfloat16())
    before = model(tokens, labels=tokens).loss
    after = model.learn(tokens)(tokens, labels=tokens)
    assert after.loss < before
    assert torch.isfinite(after.logits).all()


@torch.no_grad()
def test_saved_memories_answer_and_go_on_learning_alike(learned, kind, tokens, tmp_path):
    learned.save_pretrained(tmp_path)
    base = tiny(kind, **{k: v for k, v in ARCHITECTURES[kind].items() if v is not None})
    restored = FaastForCausalLM.from_pretrained(tmp_path, base=base)
    assert torch.equal(restored(tokens).logits, learned(tokens).logits)
    learned.learn(tokens.flip(1))
    restored.learn(tokens.flip(1))
    assert torch.equal(restored(tokens).logits, learned(tokens).logits)
    assert not list(Path(tmp_path).glob("*.bin"))


@torch.no_grad()
def test_a_folded_model_is_plain_and_survives_a_file(kind, tokens, tmp_path):
    model = build(kind).learn(tokens)
    expected = model(tokens).logits
    plain = model.fold()
    assert type(plain) is type(model.base)
    torch.testing.assert_close(plain(tokens).logits, expected, rtol=1e-3, atol=1e-3)
    plain.save_pretrained(tmp_path)
    reloaded = type(plain).from_pretrained(tmp_path)
    torch.testing.assert_close(reloaded(tokens).logits, expected, rtol=1e-3, atol=1e-3)
    settings = {"max_new_tokens": 5, "do_sample": False}
    assert torch.equal(
        reloaded.generate(tokens[:2], **settings), model.generate(tokens[:2], **settings)
    )


def test_two_threads_read_two_memories_over_one_backbone(kind, tokens):
    model = build(kind)
    alone = {}
    for name, text in (("one", tokens), ("two", tokens.flip(1))):
        with model.use_adapter(name), torch.no_grad():
            alone[name] = model.learn(text)(tokens).logits
    wrong = []

    def read(name):
        with model.use_adapter(name), torch.no_grad():
            for _ in range(5):
                if not torch.equal(model(tokens).logits, alone[name]):
                    wrong.append(name)

    threads = [threading.Thread(target=read, args=(name,)) for name in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not torch.equal(alone["one"], alone["two"])
