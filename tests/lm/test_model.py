import gc
import weakref
from contextlib import nullcontext

import pytest
import torch
from torch import nn

import faast
from faast import PseudoInverse
from faast.core import persistence
from faast.core.persistence import ModelFileError
from faast.core.state import State
from faast.lm import FaastForCausalLM, MemoryConfig, checkpoint
from faast.lm.batch import Pairs
from faast.lm.collecting import check_finite
from faast.lm.exceptions import FoldingError, ForgettingError, UnsupportedModelError
from faast.lm.folders import MEMORY_FILE
from faast.lm.natural import NaturalPass
from faast.lm.paper_memory import PairBuffer
from tests.lm.models import VOCABULARY, tiny

EXACT = MemoryConfig("pseudoinverse", middle_layers=1, alpha=0.5, interpolation=0.5)


@pytest.fixture
def exact(llama):
    model = FaastForCausalLM.from_base(llama, EXACT)
    nn.init.eye_(model.readouts[0].out_proj.weight)
    return model


@pytest.fixture
def natural(llama):
    return FaastForCausalLM.from_base(llama)


@torch.no_grad()
def logits(model, tokens):
    return model(tokens).logits


# -- learning and forgetting


def test_forgetting_leaves_the_state_as_if_never_seen(exact, tokens):
    once = logits(exact.learn(tokens[:6]), tokens)
    state = exact._adapters["default"].to_state()
    exact.learn(tokens[6:])
    assert not torch.equal(logits(exact, tokens), once)
    exact.forget(tokens[6:])
    left = exact._adapters["default"].to_state()
    assert all((left.tensors[name] == tensor).all() for name, tensor in state.tensors.items())
    assert torch.equal(logits(exact, tokens), once)


def test_order_does_not_matter_to_exact_memories(exact, llama, tokens):
    forward = logits(exact.learn(tokens[:6]).learn(tokens[6:]), tokens)
    exact.reset()
    assert exact.memory_size == 0
    assert torch.equal(logits(exact.learn(tokens[6:]).learn(tokens[:6]), tokens), forward)


def test_merging_is_learning_both(exact, tokens):
    other = FaastForCausalLM.from_base(exact.detach(), EXACT)
    other.readouts.load_state_dict(exact.readouts.state_dict())
    other.learn(tokens[6:])
    other.detach()
    model = FaastForCausalLM.from_base(exact.base, EXACT)
    model.readouts.load_state_dict(exact.readouts.state_dict())
    both = logits(model.learn(tokens), tokens)
    model.reset()
    assert torch.allclose(logits(model.learn(tokens[:6]).merge(other), tokens), both, atol=1e-6)


def test_only_answers_are_learned(natural, tokens):
    answers = torch.zeros_like(tokens)
    answers[:, -3:] = 1
    natural.learn(tokens, answer_mask=answers)
    assert natural.memory_size == 3 * len(tokens)


@pytest.mark.parametrize("scale", [2, 255, -1, 0.5])
@pytest.mark.parametrize("packed", [False, True])
def test_whatever_is_not_zero_marks_a_token(gpt2, tokens, scale, packed):
    mask = torch.ones_like(tokens)
    mask[:, 15:] = 0
    documents = {"document_ids": (torch.arange(20) >= 7).long().expand(12, 20)} if packed else {}
    model = FaastForCausalLM.from_base(gpt2).learn(tokens, mask, **documents)
    expected = logits(model, tokens)
    model.reset()
    model.learn(tokens, scale * mask, **documents)
    assert torch.equal(logits(model, tokens), expected)


def test_documents_padded_apart_are_not_paired(natural, tokens):
    mask = torch.ones_like(tokens)
    mask[:, 10] = 0
    natural.learn(tokens, attention_mask=mask)
    assert natural.memory_size == (tokens.shape[1] - 3) * len(tokens)


@pytest.mark.parametrize("config", [MemoryConfig(), MemoryConfig.paper()], ids=["natural", "paper"])
def test_memories_that_cannot_forget_or_merge_say_so(llama, tokens, config):
    model = FaastForCausalLM.from_base(llama, config).learn(tokens)
    before = logits(model, tokens)
    with pytest.raises(ForgettingError, match="cannot forget"):
        model.forget(tokens)
    with pytest.raises(ForgettingError, match="cannot be merged"):
        model.merge(model)
    assert torch.equal(logits(model, tokens), before)


# -- solving


def watch_blocks(model, events):
    """Note when the first block runs."""
    block = model.base.model.layers[0]
    block.register_forward_pre_hook(lambda *_: events.append("block"))


CASES = {
    "natural": (MemoryConfig(), NaturalPass, "finish"),
    "exact": (EXACT, PseudoInverse, "solve_spectrum"),
    "paper": (MemoryConfig.paper(0), PairBuffer, "solve_block"),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_was_learned_is_solved_once_before_the_next_pass(llama, tokens, monkeypatch, kind):
    config, owner, method = CASES[kind]
    events, original = [], getattr(owner, method)

    def noted(self, *arguments):
        events.append("solve")
        return original(self, *arguments)

    monkeypatch.setattr(owner, method, noted)
    model = FaastForCausalLM.from_base(llama, config)
    watch_blocks(model, events)
    model.learn(tokens).learn(tokens)
    assert events == ["block"] * 2  # learning runs the model and leaves solving for later
    for ask in (model, model.base):
        events.clear()
        logits(ask, tokens)
        solved = events[: events.index("block")]
        assert events == [*solved, "block"]
        assert bool(solved) == (ask is model)
    model.learn(tokens)
    events.clear()
    model.solve()
    assert set(events) == {"solve"}
    logits(model.eval(), tokens)
    assert events[-1] == "block"
    assert events.count("solve") == len(events) - 1


# -- named memories


def test_named_memories_are_apart_and_switch_by_call_and_by_row(natural, tokens):
    plain = logits(natural, tokens)
    expected = {}
    for name, text in (("one", tokens), ("two", tokens.flip(1))):
        with natural.use_adapter(name):
            expected[name] = logits(natural.learn(text), tokens)
    assert natural.adapters == ["one", "two"]
    assert torch.equal(logits(natural, tokens), plain)
    with natural.use_adapter(["one", "two", "none"] * 4):
        mixed = logits(natural, tokens)
    torch.testing.assert_close(mixed[0::3], expected["one"][0::3])
    torch.testing.assert_close(mixed[1::3], expected["two"][1::3])
    torch.testing.assert_close(mixed[2::3], plain[2::3])


def test_rows_with_beams_keep_their_memories(natural, tokens):
    with natural.use_adapter("one"):
        natural.learn(tokens)
    settings = {"max_new_tokens": 4, "num_beams": 3, "do_sample": False}
    prompt = tokens[:2, :6]
    plain = natural.generate(prompt[1:], **settings)
    with natural.use_adapter("one"):
        learned = natural.generate(prompt[:1], **settings)
    with natural.use_adapter(["one", "other"]):
        both = natural.generate(prompt, **settings)
    assert torch.equal(both, torch.cat([learned, plain]))


def test_rows_can_teach_different_memories(natural, tokens):
    with natural.use_adapter(["one"] * 6 + ["two"] * 6):
        natural.learn(tokens)
    with natural.use_adapter("one"):
        assert natural.memory_size == tokens[:6, 1:].numel()
        one = logits(natural, tokens)
        torch.testing.assert_close(one, logits(natural.reset().learn(tokens[:6]), tokens))
    assert natural.memory_size == 0


def test_more_names_than_rows_are_refused(natural, tokens):
    with natural.use_adapter(["one", "two"]), pytest.raises(ValueError, match="2 adapter names"):
        natural.learn(tokens[:3])


def test_the_perplexity_of_several_memories_is_asked_one_by_one(natural, tokens):
    with natural.use_adapter(["one", "two"]):
        natural.learn(tokens)
        with pytest.raises(ValueError, match="2 are in use"):
            _ = natural.online_perplexity
    with natural.use_adapter("one"):
        assert natural.online_perplexity > 1


# -- traces


def test_detaching_leaves_nothing_behind(llama, tokens):
    trainable = [parameter.requires_grad for parameter in llama.parameters()]
    model = FaastForCausalLM.from_base(llama.train(), MemoryConfig.paper(2))
    model.train().learn(tokens)
    memory, wrapper = weakref.ref(model._adapters["default"]), weakref.ref(model)
    assert model.detach() is llama
    del model
    gc.collect()
    assert memory() is None
    assert wrapper() is None
    assert llama.training
    assert [parameter.requires_grad for parameter in llama.parameters()] == trainable


def test_a_detached_model_says_so_instead_of_answering_without_memories(natural, tokens):
    natural.learn(tokens).detach()
    for use in (natural, natural.generate, natural.learn):
        with pytest.raises(ValueError, match="detached from this model; attach memories again"):
            use(tokens)


def test_folding_leaves_the_model_and_its_memories_alone(natural, tokens):
    before = logits(natural.learn(tokens), tokens)
    plain = natural.fold()
    nn.init.zeros_(plain.lm_head.weight)
    assert torch.equal(logits(natural, tokens), before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in plain.modules())


def test_a_tied_head_is_untied_by_folding(gpt2, tokens):
    assert gpt2.config.tie_word_embeddings
    plain = FaastForCausalLM.from_base(gpt2).learn(tokens).fold()
    assert not plain.config.tie_word_embeddings
    assert plain.lm_head.weight is not plain.transformer.wte.weight
    assert gpt2.config.tie_word_embeddings
    assert gpt2.lm_head.weight is gpt2.transformer.wte.weight


def test_what_does_not_fold_says_why(exact, tokens):
    with pytest.raises(FoldingError, match="layer memory"):
        exact.learn(tokens).fold()
    nn.init.zeros_(exact.readouts[0].out_proj.weight)
    with pytest.raises(FoldingError, match="before the final norm"):
        exact.fold()


def test_only_one_adapter_folds_at_a_time(natural, tokens):
    with natural.use_adapter(["one", "two"]), pytest.raises(ValueError, match="2 are in use"):
        natural.learn(tokens).fold()


@pytest.mark.parametrize("name", ["", [], ["one", ""]])
def test_an_adapter_needs_a_name(natural, name):
    with pytest.raises(ValueError, match="expected an adapter's name"), natural.use_adapter(name):
        pass


# -- wrong input leaves the state as it was


def test_wrong_input_is_explained_and_changes_nothing(natural, tokens):
    before = logits(natural.learn(tokens), tokens)
    size = natural.memory_size
    wrong = [
        ({"input_ids": tokens.float()}, TypeError, "integers"),
        ({"input_ids": tokens.tolist()}, TypeError, "got list"),
        ({"input_ids": tokens[:, :1]}, ValueError, "at least two tokens"),
        ({"input_ids": tokens + VOCABULARY}, ValueError, "tokenizer"),
        ({"input_ids": tokens.to("meta")}, ValueError, "on meta"),
        ({"input_ids": tokens.repeat(1, 4)}, ValueError, "80 tokens, the model has 64 positions"),
        ({"input_ids": tokens, "answer_mask": 0 * tokens}, ValueError, "no token to learn"),
        ({"input_ids": tokens, "attention_mask": tokens[:, 1:]}, ValueError, "shape of input_ids"),
        ({"input_ids": tokens.bool()}, TypeError, "integers"),
        ({"input_ids": tokens, "attention_mask": 0 * tokens}, ValueError, "no token to learn"),
        ({"input_ids": tokens, "answer_mask": [[1] * 20] * 12}, TypeError, "answer_mask must be"),
        ({"input_ids": tokens, "document_ids": tokens[:4]}, ValueError, "document_ids must have"),
    ]
    for arguments, error, message in wrong:
        with pytest.raises(error, match=message):
            natural.learn(**arguments)
    assert natural.memory_size == size
    assert torch.equal(logits(natural, tokens), before)


@pytest.mark.parametrize(
    "config",
    [MemoryConfig(), MemoryConfig("pseudoinverse"), MemoryConfig(output=None, recall=True)],
    ids=["natural", "pseudoinverse", "recall"],
)
def test_tokens_that_the_head_cannot_predict_are_not_learned(llama, tokens, config, tmp_path):
    llama.set_output_embeddings(nn.Linear(32, VOCABULARY - 7, bias=False))
    known = tokens.clamp(max=VOCABULARY - 8)
    model = FaastForCausalLM.from_base(llama, config).learn(known)
    before = logits(model, known)
    unknown = known.clone()
    unknown[2, 5] = VOCABULARY - 1
    with pytest.raises(ValueError, match=r"predicts tokens 0..89, .* in \d+..96; leave others out"):
        model.learn(unknown)
    assert torch.equal(logits(model, known), before)
    model.learn(unknown, answer_mask=unknown < VOCABULARY - 7).save_pretrained(tmp_path)
    learned = logits(model, known)
    again = FaastForCausalLM.from_pretrained(tmp_path, base=model.detach())
    assert torch.equal(logits(again, known), learned)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda tokens: tokens.float(), TypeError, "integers"),
        (lambda tokens: tokens.to("meta"), ValueError, "on meta"),
        (lambda tokens: tokens + VOCABULARY, ValueError, "tokenizer"),
        (lambda tokens: tokens.repeat(1, 4), ValueError, "64 positions"),
    ],
)
def test_wrong_prompts_are_explained_before_the_model_runs(natural, tokens, change, error, message):
    for ask in (natural, natural.generate):
        with pytest.raises(error, match=message):
            ask(change(tokens))
    with pytest.raises(error, match=message):
        natural.generate(input_ids=change(tokens), max_new_tokens=2)


@pytest.mark.parametrize("config", [MemoryConfig(), EXACT, MemoryConfig.paper()])
def test_nan_activations_are_named_and_not_learned(llama, tokens, config):
    model = FaastForCausalLM.from_base(llama, config).learn(tokens)
    before = logits(model, tokens[:4])
    broken = int(tokens[5, 3])
    kept = llama.model.embed_tokens.weight[broken].clone()
    with torch.no_grad():
        llama.model.embed_tokens.weight[broken] = torch.nan
    with pytest.raises(ValueError, match=r"NaN or inf for token \d+ of row"):
        model.learn(tokens)
    with torch.no_grad():
        llama.model.embed_tokens.weight[broken] = kept
    assert torch.equal(logits(model, tokens[:4]), before)


@pytest.mark.parametrize(("point", "learned"), [(2, True), ("head", False)])
def test_a_nan_at_the_last_token_is_refused_where_it_would_be_a_value(point, learned):
    mask = torch.ones(1, 3, dtype=torch.bool)
    pairs = Pairs(mask, torch.zeros(3, dtype=torch.long), torch.arange(4)[None])
    hidden = torch.zeros(1, 4, 8)
    hidden[0, 3] = torch.nan
    with pytest.raises(ValueError, match="token 3 of row 0") if learned else nullcontext():
        check_finite({point: hidden}, pairs)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"output": "ridge"}, "output must be"),
        ({"output": None}, "no memory at all"),
        ({"exact": False}, "averages pseudo-inverses"),
        ({"alpha": -1.0}, "alpha must be positive"),
        ({"interpolation": 1.5}, "interpolation must be in"),
        ({"block_size": 0}, "block_size must be"),
        ({"middle_layers": -1}, "middle_layers"),
        ({"middle_layers": True}, "middle_layers must be an integer, got True"),
        ({"buffer_size": 1e4}, r"buffer_size must be an integer, got 10000\.0"),
        ({"alpha": 0.5}, "alpha is a setting of pseudo-inverses"),
        ({"output": None, "recall": True, "interpolation": 0.5}, "interpolation is a setting"),
        ({"output": None, "recall": True, "exact": False}, "averages pseudo-inverses"),
    ],
)
def test_wrong_settings_are_explained(settings, message):
    with pytest.raises(ValueError, match=message):
        MemoryConfig(**settings)


def test_models_that_cannot_carry_memories_say_why(llama):
    with pytest.raises(UnsupportedModelError, match="no output embeddings"):
        FaastForCausalLM.from_base(llama.model)
    with pytest.raises(UnsupportedModelError, match="got Linear"):
        FaastForCausalLM.from_base(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="at most 3"):
        FaastForCausalLM.from_base(llama, MemoryConfig(middle_layers=4))


def test_exact_memories_do_not_train_readouts(exact):
    with pytest.raises(ValueError, match="paper"):
        exact.train()


# -- files


def test_the_library_opens_a_file_of_memories(natural, tokens, tmp_path):
    natural.learn(tokens).save_pretrained(tmp_path)
    content = faast.load(tmp_path / "memory.safetensors")
    assert content.config == natural.memory_config
    assert list(content.memories) == ["default"]


def test_a_memory_of_another_backbone_is_refused(natural, tokens, tmp_path):
    natural.learn(tokens).save_pretrained(tmp_path)
    other = tiny(
        "llama", seed=1, intermediate_size=48, num_key_value_heads=2, max_position_embeddings=64
    )
    with pytest.raises(ModelFileError, match="differ from those"):
        FaastForCausalLM.from_pretrained(tmp_path, base=other)
    assert not other.lm_head._forward_pre_hooks


@pytest.mark.parametrize(
    "place",
    [
        "embed_tokens",
        "layers.0.self_attn.v_proj",
        "layers.2.mlp.up_proj",
        "layers.1.post_attention_layernorm",
    ],
)
def test_a_memory_knows_all_parts_of_its_backbone(natural, llama, tokens, tmp_path, place):
    natural.learn(tokens).save_pretrained(tmp_path)
    natural.detach()
    with torch.no_grad():
        llama.model.get_submodule(place).weight.mul_(1.01)
    with pytest.raises(ModelFileError, match="differ from those"):
        FaastForCausalLM.from_pretrained(tmp_path, base=llama)


def test_memories_of_another_backbone_are_not_merged(exact, tokens):
    other = tiny(
        "llama", seed=1, intermediate_size=48, num_key_value_heads=2, max_position_embeddings=64
    )
    before = logits(exact.learn(tokens[:6]), tokens)
    with pytest.raises(ModelFileError, match="differ from those"):
        exact.merge(FaastForCausalLM.from_base(other, EXACT).learn(tokens[6:]))
    assert torch.equal(logits(exact, tokens), before)


def test_damaged_files_are_refused(natural, llama, tokens, tmp_path):
    natural.learn(tokens).save_pretrained(tmp_path)
    natural.detach()
    path = tmp_path / "memory.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(ModelFileError):
        FaastForCausalLM.from_pretrained(tmp_path, base=llama)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ModelFileError, match="hash"):
        FaastForCausalLM.from_pretrained(tmp_path, base=llama)


def test_a_backbone_without_a_name_must_be_given(natural, tmp_path):
    natural.save_pretrained(tmp_path)
    with pytest.raises(ModelFileError, match="give base="):
        FaastForCausalLM.from_pretrained(tmp_path)


def test_a_backbone_with_a_name_is_found(natural, llama, tokens, tmp_path):
    llama.save_pretrained(tmp_path / "base")
    model = FaastForCausalLM.from_base(str(tmp_path / "base")).learn(tokens)
    model.save_pretrained(tmp_path / "memory")
    restored = FaastForCausalLM.from_pretrained(tmp_path / "memory")
    assert torch.equal(logits(restored, tokens), logits(model, tokens))


def test_memories_are_loaded_into_a_model_of_the_same_settings(natural, tokens, tmp_path):
    learned = logits(natural.learn(tokens), tokens)
    natural.save_pretrained(tmp_path)
    natural.learn(tokens.flip(1))
    assert torch.equal(logits(natural.load_memories(tmp_path), tokens), learned)
    other = FaastForCausalLM.from_base(natural.detach(), EXACT).learn(tokens)
    before = logits(other, tokens)
    with pytest.raises(ModelFileError, match="other settings"):
        other.load_memories(tmp_path)
    assert torch.equal(logits(other, tokens), before)


def test_inconsistent_memories_are_refused_and_change_nothing(natural, tokens, tmp_path):
    before = logits(natural.learn(tokens), tokens)
    content = checkpoint.MemoryFile(
        "",
        natural._backbone.fingerprint(),
        natural.memory_config,
        {"default": State({"head.rows.hidden": tokens.numpy()}, {"head": {}})},
        {},
    )
    persistence.save(content, tmp_path / MEMORY_FILE)
    with pytest.raises(ModelFileError, match="inconsistent"):
        natural.load_memories(tmp_path)
    assert torch.equal(logits(natural, tokens), before)
