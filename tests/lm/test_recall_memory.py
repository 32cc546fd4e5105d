import copy
import time

import pytest
import torch
from torch.nn import functional

from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.exceptions import FoldingError, ForgettingError
from tests.lm.models import VOCABULARY, tiny

RECALL = MemoryConfig(output=None, recall=True)
KINDS = {
    "alone": RECALL,
    "natural": MemoryConfig(recall=True),
    "exact": MemoryConfig("pseudoinverse", recall=True),
    "paper": MemoryConfig.paper(1, recall=True),
}


@pytest.fixture
def recalling(llama):
    return FaastForCausalLM.from_base(llama, RECALL)


@torch.no_grad()
def logits(model, tokens, **inputs):
    return model(tokens, **inputs).logits


def loss(model, tokens):
    with torch.no_grad():
        return float(model(tokens, labels=tokens).loss)


def noise(*shape, seed=0):
    return torch.randint(2, VOCABULARY, shape, generator=torch.Generator().manual_seed(seed))


# -- reading


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learned_is_foretold_beside_any_other_memory(llama, tokens, kind):
    before = loss(llama, tokens[10:])
    model = FaastForCausalLM.from_base(llama, KINDS[kind]).learn(tokens[:10])
    assert loss(model, tokens[10:]) < 1.5 < before


def test_logits_are_those_of_a_mixture_of_predictions(recalling, llama, tokens):
    recalling.learn(tokens[:8])
    mixed = logits(recalling, tokens).log_softmax(-1)
    plain = recalling.detach()
    assert torch.allclose(mixed.exp().sum(-1), torch.ones(mixed.shape[:2]))
    frozen = logits(plain, tokens).log_softmax(-1)
    ratio = mixed - frozen
    share = ratio.amin(-1, keepdim=True)  # tokens that no passage speaks for lose alike
    assert torch.allclose((ratio - share).median(-1).values, torch.zeros(1), atol=1e-5)
    next_token = mixed[:, :-1].gather(2, tokens[:, 1:, None])
    assert (next_token[:, 6:] > frozen[:, :-1].gather(2, tokens[:, 1:, None])[:, 6:]).all()


def test_tokens_that_were_never_learned_keep_their_logits_bit_for_bit(recalling, llama, tokens):
    before = logits(llama, tokens)
    recalling.learn(tokens[:6])
    after = logits(recalling, tokens)
    learned = torch.zeros(VOCABULARY, dtype=torch.bool)
    learned[tokens[:6, 1:].unique()] = True
    assert torch.equal(after[..., ~learned], before[..., ~learned])
    assert (after[..., learned] > before[..., learned]).all()


def test_the_loss_is_that_of_the_logits(recalling, tokens):
    recalling.learn(tokens[:8])
    found = recalling(tokens, labels=tokens)
    expected = functional.cross_entropy(
        found.logits[:, :-1].reshape(-1, VOCABULARY), tokens[:, 1:].reshape(-1)
    )
    torch.testing.assert_close(found.loss, expected)
    assert torch.equal(recalling(tokens, labels=tokens, return_dict=False)[0], found.loss)
    assert torch.equal(recalling(tokens, return_dict=False)[0], found.logits)


def test_only_the_logits_that_are_kept_are_mixed(recalling, tokens):
    recalling.learn(tokens)
    whole = logits(recalling, tokens)
    assert torch.allclose(logits(recalling, tokens, logits_to_keep=3), whole[:, -3:], atol=1e-5)
    chosen = torch.tensor([2, 9])
    assert torch.allclose(
        logits(recalling, tokens, logits_to_keep=chosen), whole[:, chosen], atol=1e-5
    )
    with pytest.raises(ValueError, match="give a number, or positions"):
        logits(recalling, tokens, logits_to_keep=torch.ones(12, 20, dtype=torch.bool))
    with pytest.raises(ValueError, match="give it input_ids"):
        recalling(inputs_embeds=torch.zeros(1, 2, 32))


def test_rows_recall_by_their_own_memories(recalling, tokens):
    texts = {"forward": tokens, "backward": tokens.flip(1)}
    for name, text in texts.items():
        with recalling.use_adapter(name):
            recalling.learn(text)
    both = torch.stack([tokens[0], tokens.flip(1)[0], tokens[0]])
    with recalling.use_adapter(["forward", "backward", "nothing"]):
        found = logits(recalling, both)
        written = recalling.generate(both[:, :7], max_new_tokens=5, pad_token_id=0)
    for row, name in enumerate(["forward", "backward", "nothing"]):
        with recalling.use_adapter(name):
            alone = logits(recalling, both[row : row + 1])
        torch.testing.assert_close(found[row], alone[0], rtol=1e-3, atol=1e-3)
    assert torch.equal(written[:2], both[:2, :12])


@pytest.mark.parametrize("beams", [1, 3])
def test_passages_are_written_word_for_word_with_the_cache(recalling, tokens, beams):
    recalling.learn(tokens)
    prompts = tokens[:4, :5]
    for caller in (recalling, recalling.base):
        written = caller.generate(
            prompts, max_new_tokens=12, num_beams=beams, do_sample=False, pad_token_id=0
        )
        assert torch.equal(written, tokens[:4, :17])


def test_generation_leaves_no_tokens_behind(recalling, tokens):
    recalling.learn(tokens)
    ask = tokens[:1, 5:8]
    before = logits(recalling, ask)
    written = recalling.generate(tokens[:1, :7], max_new_tokens=1, pad_token_id=0)
    assert torch.equal(written[:, 5:], ask)
    assert torch.equal(logits(recalling, ask), before)


@torch.no_grad()
def call_by_parts(caller, tokens, lengths):
    """Return the logits of calls that share a cache, joined, and the cache."""
    cache, found = None, []
    for part in tokens.split(lengths, dim=1):
        output = caller(part, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        found.append(output.logits)
    return torch.cat(found, dim=1), cache


@pytest.mark.parametrize("lengths", [[8] + [1] * 12, [3, 2, 10, 5]])
def test_calls_that_share_a_cache_recall_as_one_call(recalling, tokens, lengths):
    recalling.learn(tokens)
    whole = logits(recalling, tokens)
    for caller in (recalling, recalling.base):
        found, _ = call_by_parts(caller, tokens, lengths)
        torch.testing.assert_close(found, whole, rtol=1e-3, atol=1e-3)


def test_a_cache_that_is_cut_copied_or_filled_by_generate_goes_on(recalling, tokens):
    recalling.learn(tokens)
    expected = logits(recalling, tokens[:2])[:, 10:]
    begun = recalling.generate(
        tokens[:2, :9], max_new_tokens=6, return_dict_in_generate=True, pad_token_id=0
    ).past_key_values
    _, whole = call_by_parts(recalling, tokens[:2], [20])
    for cache in (begun, whole):
        cache.crop(10 - cache.get_seq_length())
        for one in (copy.deepcopy(cache), cache):
            found = logits(recalling, tokens[:2, 10:], past_key_values=one)
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def first_logits(model, prompts, **options):
    """Return the logits of the first token that is generated."""
    options |= {"max_new_tokens": 1, "pad_token_id": 0}
    found = model.generate(prompts, output_logits=True, return_dict_in_generate=True, **options)
    return found.logits[0]


def test_generate_recalls_what_a_cache_or_an_earlier_chunk_holds(recalling, tokens):
    recalling.learn(tokens)
    expected = first_logits(recalling, tokens[:2, :9])
    _, cache = call_by_parts(recalling, tokens[:2, :8], [8])
    mask = torch.ones(2, 9, dtype=torch.long)
    new_alone = first_logits(recalling, tokens[:2, 8:9], past_key_values=cache, attention_mask=mask)
    in_chunks = first_logits(recalling, tokens[:2, :9], prefill_chunk_size=2)
    for found in (new_alone, in_chunks):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_passages_that_speak_for_a_token_are_named(recalling, tokens):
    recalling.learn(tokens)
    prompt = tokens[0, :8]
    passages = recalling.recalled(prompt)
    assert passages[0].context == tuple(prompt[2:].tolist())
    assert {one.token for one in passages} == {int(tokens[0, 8])}
    assert all(one.count == one.total for one in passages)
    probability = logits(recalling, prompt[None])[0, -1].softmax(-1)[tokens[0, 8]]
    assert sum(one.probability for one in passages) == pytest.approx(float(probability), abs=0.02)
    assert recalling.recalled(torch.tensor([0, 0])) == []


def test_memories_without_recall_say_so(llama, tokens):
    with pytest.raises(ValueError, match="recall=True"):
        FaastForCausalLM.from_base(llama).recalled(tokens[0])


@pytest.mark.parametrize("shape", [(2, 3), (0,), (1, 0)])
def test_passages_are_asked_for_one_prompt(recalling, tokens, shape):
    recalling.learn(tokens)
    with pytest.raises(ValueError, match="tokens of one prompt"):
        recalling.recalled(torch.ones(shape, dtype=torch.long))


# -- learning


def state_of(model):
    return model._adapters["default"].to_state()


def assert_same(one, other):
    assert one.metadata == other.metadata
    assert one.tensors.keys() == other.tensors.keys()
    assert all((one.tensors[name] == part).all() for name, part in other.tensors.items())


def test_order_batching_merging_and_forgetting_give_the_same_bits(recalling, llama, tokens):
    text = torch.cat([tokens, noise(20, 20)])
    whole = state_of(recalling.learn(text))
    expected = logits(recalling, text)
    recalling.reset()
    for batch in text.flip(0).split(5):
        recalling.learn(batch)
    assert_same(state_of(recalling), whole)
    assert torch.equal(logits(recalling, text), expected)
    recalling.learn(noise(4, 20, seed=1)).forget(noise(4, 20, seed=1))
    assert_same(state_of(recalling), whole)
    assert torch.equal(logits(recalling, text), expected)
    recalling.reset()
    other = FaastForCausalLM.from_base(tiny_copy(llama), RECALL).learn(text[7:])
    recalling.learn(text[:7]).merge(other)
    assert_same(state_of(recalling), whole)
    assert torch.equal(logits(recalling, text), expected)


def tiny_copy(llama):
    other = tiny("llama", intermediate_size=48, num_key_value_heads=2, max_position_embeddings=64)
    other.load_state_dict(llama.state_dict())
    return other


def test_packed_and_padded_documents_teach_the_same_as_documents_alone(recalling, tokens):
    alone = state_of(recalling.learn(tokens[:2]))
    recalling.reset()
    packed = torch.cat([tokens[0], tokens[1]])[None]
    numbers = torch.tensor([0] * 20 + [1] * 20)[None]
    assert_same(state_of(recalling.learn(packed, document_ids=numbers)), alone)
    recalling.reset()
    pad = torch.zeros(2, 3, dtype=torch.long)
    padded = torch.cat([pad, tokens[:2], pad], 1)
    assert_same(state_of(recalling.learn(padded, attention_mask=padded != 0)), alone)


def test_only_answers_are_recalled(recalling, tokens):
    answers = torch.zeros_like(tokens)
    answers[:, 10:] = 1
    recalling.learn(tokens[:1], answer_mask=answers[:1])
    assert recalling.memory_size == 10
    assert recalling.recalled(tokens[0, :9]) == []
    assert recalling.recalled(tokens[0, :10])[0].token == int(tokens[0, 10])


def test_what_was_never_learned_is_not_forgotten(recalling, tokens):
    recalling.learn(tokens[:6])
    before = state_of(recalling)
    with pytest.raises(ForgettingError, match="not learned all of this,"):
        recalling.forget(tokens[5:7].flip(1))
    assert_same(state_of(recalling), before)


def test_it_is_saved_and_goes_on_learning(recalling, llama, tokens, tmp_path):
    recalling.learn(tokens[:6])
    recalling.save_pretrained(tmp_path)
    expected = logits(recalling.learn(tokens[6:]), tokens)
    recalling.detach()
    again = FaastForCausalLM.from_pretrained(tmp_path, base=llama).learn(tokens[6:])
    assert torch.equal(logits(again, tokens), expected)


def test_it_does_not_fold_and_says_how(llama, tokens):
    model = FaastForCausalLM.from_base(llama, MemoryConfig(recall=True))
    model.fold()
    with pytest.raises(FoldingError, match="recall=False, on the command line without --recall"):
        model.learn(tokens).fold()


# -- how far it is trusted


def test_text_that_never_repeats_is_no_worse(recalling, llama):
    learned, asked = noise(64, 30), noise(64, 30, seed=1)
    before = loss(llama, asked)
    recalling.learn(learned)
    assert loss(recalling, asked) < before + 0.005


def test_the_models_own_text_is_no_worse(recalling, llama):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prompts = noise(64, 1)
        own = llama.generate(prompts, max_new_tokens=40, do_sample=True, top_k=0)
    before = loss(llama, own[40:])
    assert loss(recalling.learn(own[:40]), own[40:]) < before + 0.005


def test_a_text_learned_twice_is_left_out_whole(recalling, tokens):
    text = noise(24, 30)
    once = logits(recalling.learn(text), text[:2])
    twice = logits(recalling.learn(text), text[:2])
    assert (twice.log_softmax(-1) - once.log_softmax(-1)).abs().max() < 0.7


# -- hostile texts


@pytest.mark.parametrize(
    "text",
    [
        torch.full((8, 60), 5),
        torch.tensor([[5, 6]]),
        torch.arange(2, 62)[None],
    ],
    ids=["one token over and over", "one pair", "one document"],
)
def test_odd_texts_are_learned_and_asked(recalling, text):
    recalling.learn(text)
    assert torch.isfinite(logits(recalling, text)).all()
    assert recalling.recalled(text[0, :1])[0].token == int(text[0, 1])
    recalling.generate(text[:1, :1], max_new_tokens=4, pad_token_id=0)
    recalling.forget(text)
    assert recalling.memory_size == 0


def test_time_per_token_does_not_grow_with_what_was_learned(recalling):
    ask = noise(4, 60)

    def seconds():
        logits(recalling, ask)
        started = time.process_time()
        for _ in range(5):
            logits(recalling, ask)
        return time.process_time() - started

    recalling.learn(noise(64, 60, seed=1))
    few = seconds()
    for seed in range(2, 10):
        recalling.learn(noise(256, 60, seed=seed))
    assert seconds() < 6 * few


# -- padding, and what is forgotten


def test_padding_is_no_context_even_where_its_token_was_learned(recalling, tokens):
    end = torch.zeros(len(tokens), 1, dtype=torch.long)  # the padding token ends every text
    recalling.learn(torch.cat([end, tokens, end, tokens], 1))
    prompt, pad = tokens[:1, :2], torch.zeros(1, 5, dtype=torch.long)
    padded = torch.cat([pad, prompt], 1)
    mask = torch.cat([pad, torch.ones_like(prompt)], 1)
    places = torch.cat([pad, torch.arange(2)[None]], 1)
    alone = logits(recalling, prompt)
    found = logits(recalling, padded, attention_mask=mask, position_ids=places)[:, 5:]
    torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-4)
    settings = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    expected = recalling.generate(prompt, **settings)
    written = recalling.generate(padded, attention_mask=mask, **settings)
    assert torch.equal(written[:, 5:], expected)


@pytest.mark.parametrize("config", [MemoryConfig(), MemoryConfig("pseudoinverse"), RECALL])
def test_a_document_may_have_any_number(config, llama, tokens):
    pad = torch.zeros(4, 3, dtype=torch.long)
    padded = torch.cat([pad, tokens[:4]], 1)
    states = []
    for number in (0, -1, 7):
        model = FaastForCausalLM.from_base(llama, config)
        ids = torch.full_like(padded, number)
        model.learn(padded, attention_mask=padded != 0, document_ids=ids)
        states.append(state_of(model))
        model.detach()
    assert_same(states[1], states[0])
    assert_same(states[2], states[0])


def test_many_documents_forgotten_leave_what_was_there_bit_for_bit(recalling, tokens):
    recalling.learn(tokens.repeat(3, 1))
    before = state_of(recalling)
    recalling.learn(noise(300, 12, seed=5)).forget(noise(300, 12, seed=5))
    assert_same(state_of(recalling), before)


def test_a_memory_that_forgot_everything_is_as_new(recalling, tokens, llama):
    others = noise(700, 12, seed=5)  # more documents than the sample holds
    recalling.learn(others).forget(others)
    assert recalling.memory_size == 0
    assert recalling.adapters == []
    recalling.learn(tokens)
    learned = state_of(recalling)
    recalling.reset()
    assert_same(state_of(recalling.learn(tokens)), learned)
