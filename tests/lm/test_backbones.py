"""Backbones of any kind carry memories with the same numbers, or are refused with the way out."""

import copy
from dataclasses import replace

import pytest
import torch
from transformers import BitsAndBytesConfig

from faast.lm import FaastForCausalLM, FoldingError, MemoryConfig, UnsupportedModelError
from faast.lm.hooks import Hooks
from tests.lm.models import tiny
from tests.lm.test_forged_files import is_clean

EXACT = MemoryConfig("pseudoinverse", middle_layers=1)


@torch.no_grad()
def logits(model, tokens):
    return model(tokens).logits


KINDS = {
    "natural": MemoryConfig(),
    "recalling": MemoryConfig(recall=True),
    "exact": EXACT,
    "lifted": MemoryConfig(random_features=True),
}


def answers(model, tokens):
    """What a model with memories does after it has learned: logits, and greedy continuations."""
    model.learn(tokens[:8])
    written = model.generate(tokens[:2, :5], max_new_tokens=4, do_sample=False, pad_token_id=0)
    return logits(model, tokens), written


@pytest.fixture(params=["llama", "gpt2"])  # with an output matrix of its own, and with a shared one
def base(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(params=KINDS)
def config(request):
    return KINDS[request.param]


# -- weights that are not simply there


def blocks_of(base):
    return base.model.layers if hasattr(base, "model") else base.transformer.h


def on_cpu(base, folder):
    return pytest.importorskip("accelerate").cpu_offload(base, execution_device="cpu")


def on_disk(base, folder):
    accelerate = pytest.importorskip("accelerate")
    return accelerate.disk_offload(base, folder, execution_device="cpu")


def blocks_on_disk(base, folder):
    accelerate = pytest.importorskip("accelerate")
    for number, block in enumerate(blocks_of(base)):
        accelerate.disk_offload(block, folder / str(number), execution_device="cpu")
    return base


@pytest.mark.parametrize("offload", [on_cpu, on_disk, blocks_on_disk])
def test_offloaded_weights_give_the_same_numbers(base, tokens, tmp_path, config, offload):
    model = FaastForCausalLM.from_base(base, config)
    expected = answers(model, tokens)
    base = offload(model.detach(), tmp_path)
    model = FaastForCausalLM.from_base(base, config)
    found = answers(model, tokens)
    assert all(map(torch.equal, found, expected))
    model.save_pretrained(tmp_path / "memory")
    model.detach()
    again = FaastForCausalLM.from_pretrained(tmp_path / "memory", base=base)
    assert torch.equal(logits(again, tokens), expected[0])


def test_a_memory_on_an_offloaded_model_loads_on_a_whole_one(base, tokens, tmp_path):
    model = FaastForCausalLM.from_base(base)
    whole = copy.deepcopy(base)
    model.detach()
    offloaded = FaastForCausalLM.from_base(on_disk(base, tmp_path / "weights"))
    expected = answers(offloaded, tokens)[0]
    with pytest.raises(FoldingError, match=r"offloaded.*load the model whole"):
        offloaded.fold()
    offloaded.save_pretrained(tmp_path / "memory")
    again = FaastForCausalLM.from_pretrained(tmp_path / "memory", base=whole)
    assert torch.equal(logits(again, tokens), expected)
    torch.testing.assert_close(logits(again.fold(), tokens), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_quantised_blocks_carry_memories(llama, tokens, tmp_path, config):
    if config == EXACT:  # settings that are chosen could jump from one candidate to the next
        config = replace(config, alpha=0.5, interpolation=0.5)
    frozen = logits(llama, tokens)
    exact = answers(FaastForCausalLM.from_base(copy.deepcopy(llama), config), tokens)[0]
    torch.ao.quantization.quantize_dynamic(
        llama.model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True
    )
    before = logits(llama, tokens)
    model = FaastForCausalLM.from_base(llama, config)
    assert torch.equal(logits(model, tokens), before)
    learned = answers(model, tokens)[0]
    assert (learned - exact).abs().mean() < 2 * (before - frozen).abs().mean()
    model.save_pretrained(tmp_path)
    model.detach()
    again = FaastForCausalLM.from_pretrained(tmp_path, base=llama)
    assert torch.equal(logits(again, tokens), learned)


@pytest.mark.filterwarnings("ignore")
def test_quantised_embeddings_are_refused(base, config):
    quantised = torch.ao.quantization.quantize_dynamic(base, {torch.nn.Linear}, dtype=torch.qint8)
    with pytest.raises(UnsupportedModelError, match=r"output embeddings .* quantised.*leave them"):
        FaastForCausalLM.from_base(quantised, config)


def test_eight_bits_of_bitsandbytes_carry_memories(llama, tokens, tmp_path, config):
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    llama.save_pretrained(tmp_path / "model")
    eight = BitsAndBytesConfig(load_in_8bit=True)
    model = FaastForCausalLM.from_base(tmp_path / "model", config, quantization_config=eight)
    learned = answers(model, tokens)[0]
    model.save_pretrained(tmp_path / "memory")
    again = FaastForCausalLM.from_pretrained(tmp_path / "memory", quantization_config=eight)
    assert torch.equal(logits(again, tokens), learned)


def test_a_model_without_numbers_is_refused(base, config):
    with pytest.raises(UnsupportedModelError, match=r"hold no numbers.*load the model's weights"):
        FaastForCausalLM.from_base(base.to("meta"), config)


# -- wrappers and adapters


def lora(base, **settings):
    peft = pytest.importorskip("peft", reason="peft is not installed (extra bench)")
    targets = ["q_proj"] if hasattr(base, "model") else ["c_attn"]
    config = {"target_modules": targets, "init_lora_weights": False, **settings}
    return peft.get_peft_model(base, peft.LoraConfig(task_type="CAUSAL_LM", **config))


@pytest.mark.parametrize("targets", [{}, {"target_modules": ["lm_head"]}], ids=["block", "head"])
@pytest.mark.filterwarnings("ignore")  # of PEFT, about transformers
def test_adapters_are_refused_until_they_are_merged(base, tokens, config, targets):
    wrapped = lora(base, **targets)
    for model in (wrapped, wrapped.get_base_model()):
        with pytest.raises(UnsupportedModelError, match=r"merge_and_unload\(\)"):
            FaastForCausalLM.from_base(model, config)
    assert is_clean(base)
    merged = wrapped.merge_and_unload()
    before = logits(merged, tokens)
    model = FaastForCausalLM.from_base(merged, config)
    assert torch.equal(logits(model, tokens), before)
    assert model.learn(tokens).memory_size


@pytest.mark.parametrize("targets", [{}, {"target_modules": ["lm_head"]}], ids=["block", "head"])
@pytest.mark.filterwarnings("ignore")  # of PEFT, about transformers
def test_adapters_put_under_memories_are_seen(base, tokens, tmp_path, config, targets):
    model = FaastForCausalLM.from_base(base, config).learn(tokens)
    expected = logits(model, tokens)
    wrapped = lora(base, **targets)
    calls = [
        lambda: wrapped(tokens),
        lambda: base(tokens),
        lambda: model(tokens),
        lambda: model.learn(tokens),
        lambda: model.save_pretrained(tmp_path / "memory"),
    ]
    for call in calls:
        with pytest.raises(UnsupportedModelError, match="adapter of PEFT"):
            call()
    assert not (tmp_path / "memory").exists()
    wrapped.unload()
    if not targets:
        assert torch.equal(logits(model, tokens), expected)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("wrap", "message"),
    [
        (torch.nn.DataParallel, "give model.module"),
        (torch.compile, "give the model itself, and compile it when memories are attached"),
    ],
)
def test_wrappers_name_the_way_out(llama, wrap, message):
    with pytest.raises(UnsupportedModelError, match=message):
        FaastForCausalLM.from_base(wrap(llama))


def test_forward_around_the_recall_memory_is_refused(llama, tokens):
    model = FaastForCausalLM.from_base(llama, KINDS["recalling"]).learn(tokens)
    expected = logits(model, tokens)
    with pytest.raises(UnsupportedModelError, match=r"call model\(...\)"):
        llama.forward(tokens)
    with pytest.raises(ValueError, match="give it input_ids"):
        llama(inputs_embeds=torch.zeros(1, 2, 32))
    with pytest.raises(UnsupportedModelError, match=r"call model\(...\)"):
        llama.forward(tokens)
    assert torch.equal(logits(llama, tokens), expected)
    model.detach()
    llama.forward(tokens)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["recalling", "exact"])
def test_compiled_models_read_what_was_learned_last(llama, tokens, kind):
    model = FaastForCausalLM.from_base(llama, KINDS[kind]).learn(tokens[:6])
    compiled = torch.compile(llama, backend="eager")
    try:
        assert torch.equal(logits(compiled, tokens), logits(model, tokens))
        model.learn(tokens[6:].flip(1))
        assert torch.equal(logits(compiled, tokens), logits(model, tokens))
    finally:
        torch.compiler.reset()


# -- what is done to a model that carries memories


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_number_format_may_change(base, tokens, tmp_path, config, dtype):
    model = FaastForCausalLM.from_base(base, config)
    expected = answers(model, tokens)[0]
    base.to(dtype)
    found = logits(model, tokens)
    assert found.dtype == dtype
    tolerance = {torch.bfloat16: 0.05, torch.float16: 0.01, torch.float64: 1e-5}[dtype]
    assert (found.float() - expected).abs().max() < tolerance * expected.abs().max()
    model.learn(tokens[8:]).save_pretrained(tmp_path)
    expected = logits(model, tokens)
    model.detach()
    again = FaastForCausalLM.from_pretrained(tmp_path, base=base)
    assert torch.equal(logits(again, tokens), expected)


def test_a_copy_learns_apart(base, tokens, config):
    model = FaastForCausalLM.from_base(base, config)
    expected = answers(model, tokens)[0]
    other = copy.deepcopy(model)
    assert torch.equal(logits(other, tokens), expected)
    other.learn(tokens.flip(1))
    with torch.no_grad():
        other.base.get_output_embeddings().weight.zero_()
    assert torch.equal(logits(model, tokens), expected)
    other.detach()
    assert is_clean(other.base)
    assert torch.equal(logits(model, tokens), expected)


def test_saving_the_backbone_saves_the_plain_model(base, tokens, tmp_path, config):
    before = logits(base, tokens)
    model = FaastForCausalLM.from_base(base, config)
    expected = answers(model, tokens)[0]
    base.save_pretrained(tmp_path)
    assert torch.equal(logits(type(base).from_pretrained(tmp_path).eval(), tokens), before)
    assert torch.equal(logits(model, tokens), expected)


def test_nothing_is_learned_under_dropout(gpt2, tokens, config):
    model = FaastForCausalLM.from_base(gpt2, config)
    expected = answers(model, tokens)[0]
    gpt2.activation_checkpointing_enable()
    gpt2.train()
    for change in (model.learn, model.forget):
        with pytest.raises(ValueError, match=r"training mode.*model.eval\(\)"):
            change(tokens)
    gpt2(input_ids=tokens, labels=tokens, use_cache=False).loss.backward()
    assert torch.equal(logits(model.eval(), tokens), expected)


def replace_head(base):
    head = base.get_output_embeddings()
    base.set_output_embeddings(torch.nn.Linear(head.in_features, head.out_features, bias=False))


def replace_block(base):
    base.model.layers[1] = base.model.layers[2]


@pytest.mark.parametrize("config", [MemoryConfig(), EXACT], ids=["natural", "exact"])
@pytest.mark.parametrize(
    "change",
    [
        lambda base: base.resize_token_embeddings(104),
        lambda base: base.resize_token_embeddings(64),
        replace_head,
        replace_block,
    ],
    ids=["grown", "shrunk", "head", "block"],
)
def test_replaced_parts_are_never_silently_unread(llama, tokens, tmp_path, config, change):
    model = FaastForCausalLM.from_base(llama, config).learn(tokens)
    change(llama)
    tokens = tokens % 64
    calls = [
        lambda: model(tokens),
        lambda: llama(tokens),
        lambda: model.generate(tokens[:1, :4], max_new_tokens=2),
        lambda: model.learn(tokens),
        lambda: model.fold(),
        lambda: model.save_pretrained(tmp_path / "memory"),
    ]
    for call in calls:
        with pytest.raises(UnsupportedModelError, match=r"detach\(\), change the model first"):
            call()
    assert not (tmp_path / "memory").exists()
    model.detach()
    assert is_clean(llama)
    again = FaastForCausalLM.from_base(llama, config).learn(tokens)
    assert again.memory_size


@pytest.mark.parametrize("size", [104, 64])
def test_embeddings_resized_in_place_are_refused(gpt2, tokens, config, size):
    model = FaastForCausalLM.from_base(gpt2, config).learn(tokens)
    gpt2.resize_token_embeddings(size)
    for call in (model, gpt2, model.learn):
        with pytest.raises(UnsupportedModelError, match=f"had 97 tokens .* now it has {size}"):
            call(tokens % 64)
    model.detach()
    assert FaastForCausalLM.from_base(gpt2, config).learn(tokens % 64).memory_size


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
