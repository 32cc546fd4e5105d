import pytest
import torch

from faast.lm import FaastForCausalLM, MemoryConfig, exact_memory, validation_sample
from faast.lm.exceptions import ForgettingError, UnsupportedModelError
from tests.lm.models import tiny

CHOOSING = MemoryConfig(output="pseudoinverse")


@torch.no_grad()
def loss(model, tokens):
    return float(model(tokens, labels=tokens).loss)


def test_the_models_own_text_teaches_it_nothing(llama, tokens):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prompt = tokens[:, :1].repeat(4, 1)
        own = llama.generate(prompt, max_new_tokens=40, do_sample=True, top_k=0)
    before = loss(llama, own[24:])
    model = FaastForCausalLM.from_base(llama, CHOOSING).learn(own[:24])
    assert model._adapters["default"].parts[-1].solution.interpolation == 0.0
    assert loss(model, own[24:]) == before


def test_a_chosen_memory_is_no_worse_than_the_frozen_model(gpt2, tokens):
    frozen = loss(gpt2, tokens)
    model = FaastForCausalLM.from_base(gpt2, CHOOSING).learn(tokens.repeat(4, 1))
    assert loss(model, tokens) <= frozen * 1.005


@pytest.mark.parametrize("vocabulary", [97, 6000])
def test_the_choice_is_about_as_good_as_the_best_of_all_pairs(tokens, vocabulary):
    base = tiny("gpt2", n_positions=64, vocab_size=vocabulary)
    model = FaastForCausalLM.from_base(base, CHOOSING).learn(tokens.repeat(3, 1))
    part = model._adapters["default"].parts[-1]
    keys, targets = held = part.validation.draw(part.count)
    rest = part.pairs.forget(keys, part.backbone.embed(targets)).spectrum()

    @torch.no_grad()
    def held_out_loss(alpha, share):
        mixed = torch.lerp(keys, keys @ exact_memory._solve(rest, alpha), share)
        return part.backbone.head.loss(part.backbone.normalize(mixed), targets)

    alphas, shares = exact_memory.ALPHAS, exact_memory.INTERPOLATIONS
    losses = {(one, r): held_out_loss(one, r) for one in alphas for r in shares}
    chosen = losses[part._choose(held, alphas, shares)]
    frozen, best = losses[alphas[0], 0.0], min(losses.values())
    assert best < 0.95 * frozen
    assert chosen - best < 0.05 * (frozen - best)


def test_the_choice_does_not_depend_on_order_or_batching(gpt2, tokens):
    model = FaastForCausalLM.from_base(gpt2, CHOOSING)
    whole = model.learn(tokens)._adapters["default"].parts[-1]
    model.reset()
    for batch in tokens.flip(0).split(5):
        model.learn(batch)
    parts = model._adapters["default"].parts[-1]
    assert whole.validation.hashes.tolist() == parts.validation.hashes.tolist()
    assert whole.solution.interpolation == parts.solution.interpolation


def test_forgetting_drops_the_held_out_blocks(gpt2, tokens):
    model = FaastForCausalLM.from_base(gpt2, CHOOSING).learn(tokens[:6])
    before = model._adapters["default"].parts[-1]
    after = model.learn(tokens[6:]).forget(tokens[6:])._adapters["default"].parts[-1]
    assert before.validation.hashes.tolist() == after.validation.hashes.tolist()
    assert before.pairs.moments == after.pairs.moments


def test_a_batch_learned_twice_is_forgotten_once(gpt2, tokens):
    model = FaastForCausalLM.from_base(gpt2, CHOOSING).learn(tokens[:3])
    once = model._adapters["default"].parts[-1].validation
    again = model.learn(tokens[:3]).forget(tokens[:3])._adapters["default"].parts[-1].validation
    assert once.hashes.tolist() == again.hashes.tolist()
    assert torch.equal(once.keys, again.keys)


def test_the_sample_keeps_the_blocks_of_lowest_hash(gpt2, tokens, monkeypatch):
    model = FaastForCausalLM.from_base(gpt2, CHOOSING).learn(tokens)
    everything = model._adapters["default"].parts[-1].validation
    monkeypatch.setattr(validation_sample, "MAX_BLOCKS", 5)
    model.reset()
    for row in tokens.flip(0).split(1):
        model.learn(row)
    few = model._adapters["default"].parts[-1].validation
    assert few.hashes.tolist() == everything.hashes[:5].tolist()
    assert few.threshold == everything.hashes[5]
    n_pairs = int(few.sizes.sum())
    assert torch.equal(few.targets, everything.targets[:n_pairs])
    torch.testing.assert_close(few.keys, everything.keys[:n_pairs])


def test_given_settings_are_taken(gpt2, tokens):
    config = MemoryConfig(output="pseudoinverse", alpha=0.4, interpolation=0.3)
    model = FaastForCausalLM.from_base(gpt2, config).learn(tokens)
    assert model._adapters["default"].parts[-1].solution.interpolation == 0.3


def test_a_model_with_narrow_embeddings_learns_by_the_gradient_only(tokens):
    base = tiny("opt", ffn_dim=48, max_position_embeddings=64, word_embed_proj_dim=16)
    with pytest.raises(UnsupportedModelError, match="width 16, hidden states 32"):
        FaastForCausalLM.from_base(base, CHOOSING)  # before anything is attached
    natural = FaastForCausalLM.from_base(base)
    before = loss(base, tokens)
    assert loss(natural.learn(tokens), tokens) < before


def test_what_was_not_learned_is_not_forgotten(gpt2, tokens):
    model = FaastForCausalLM.from_base(gpt2, CHOOSING).learn(tokens[:8])
    before = loss(model, tokens)
    other = (tokens[:2] + 1) % 90
    for forgotten in (other, torch.cat([tokens[:1], tokens[:1]]), torch.cat([tokens[:1], other])):
        with pytest.raises(ForgettingError, match="has not learned all"):
            model.forget(forgotten)
    assert model.memory_size == 8 * 19
    assert loss(model, tokens) == before


def test_a_large_memory_knows_what_it_has_not_learned(gpt2):
    generator = torch.Generator().manual_seed(0)
    learned, other = torch.randint(1, 97, (2, 160, 20), generator=generator)
    model = FaastForCausalLM.from_base(gpt2, CHOOSING).learn(learned)
    part = model._adapters["default"].parts[-1]
    assert len(part.validation.keys) < part.count
    for forgotten in (other[:20], torch.cat([learned[:20], learned[:20]])):
        with pytest.raises(ForgettingError, match="has not learned all"):
            model.forget(forgotten)
    assert model._adapters["default"].parts[-1] is part
    model.forget(learned[:20])
    assert model.memory_size == 140 * 19


@pytest.mark.parametrize("n_first", range(1, 12))
def test_a_sample_does_not_depend_on_what_was_learned_where(gpt2, tokens, monkeypatch, n_first):
    monkeypatch.setattr(validation_sample, "MAX_BLOCKS", 5)
    first, second = (
        FaastForCausalLM.from_base(gpt2, CHOOSING).learn(part)
        for part in tokens.split([n_first, 12 - n_first])
    )
    merged = first.merge(second)._adapters["default"].parts[-1].validation
    whole = FaastForCausalLM.from_base(gpt2, CHOOSING).learn(tokens)
    sample = whole._adapters["default"].parts[-1].validation
    assert merged.threshold == sample.threshold
    assert merged.hashes.tolist() == sample.hashes.tolist()


def test_a_memory_that_forgot_everything_learns_as_if_new(gpt2, tokens, monkeypatch):
    monkeypatch.setattr(validation_sample, "MAX_BLOCKS", 5)
    new = FaastForCausalLM.from_base(gpt2, CHOOSING).learn(tokens[:6])
    old = FaastForCausalLM.from_base(gpt2, CHOOSING).learn(tokens).forget(tokens)
    assert old._adapters["default"].parts[-1].validation.threshold == validation_sample.ALL_HASHES
    old.learn(tokens[:6])
    samples = [model._adapters["default"].parts[-1].validation for model in (new, old)]
    assert samples[0].hashes.tolist() == samples[1].hashes.tolist()


def test_a_memory_may_be_read_in_lower_precision(gpt2, tokens):
    model = FaastForCausalLM.from_base(gpt2, CHOOSING).learn(tokens.repeat(4, 1))
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(model, tokens) == pytest.approx(loss(model, tokens), rel=1e-3)


def test_memories_of_another_precision_are_refused_with_the_way_out(tokens):
    ours = FaastForCausalLM.from_base(tiny("llama"), CHOOSING).learn(tokens)
    theirs = FaastForCausalLM.from_base(tiny("llama").bfloat16(), CHOOSING).learn(tokens)
    before = ours.memory_size
    with pytest.raises(ValueError, match=r"same dtype \(.* in column \d+\)") as caught:
        ours.merge(theirs)
    assert len(str(caught.value)) < 400
    assert ours.memory_size == before
