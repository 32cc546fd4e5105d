"""The recall memory as a whole: the same bits by any way, and bounds that no text can break."""

import time
from statistics import median

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faast.core import persistence
from faast.lm import FaastForCausalLM, ForgettingError, MemoryConfig
from faast.lm.backbone import Backbone
from faast.lm.batch import TokenBatch, TrainingBatch
from faast.lm.collecting import next_token_pairs
from faast.lm.ngram_counts import MAX_NGRAMS
from faast.lm.ngrams import N_LENGTHS, hash_contexts
from faast.lm.recall_memory import RecallMemory
from tests.lm.models import VOCABULARY, tiny

RECALL = MemoryConfig(output=None, recall=True)
BACKBONE = Backbone.from_model(
    tiny("llama", intermediate_size=48, num_key_value_heads=2, max_position_embeddings=64)
)
TEXTS = st.lists(
    st.lists(st.integers(0, 4), min_size=2, max_size=14).map(torch.tensor), min_size=1, max_size=8
)


def batch_of(rows):
    """Texts of any length in one batch, padded on the right."""
    length = max(map(len, rows))
    ids = torch.stack([torch.nn.functional.pad(row, (0, length - len(row))) for row in rows])
    real = torch.stack([torch.arange(length) < len(row) for row in rows])
    return TrainingBatch(ids, next_token_pairs(TokenBatch(ids, real)), {})


def learn(texts, memory=None, sizes=(1,)):
    memory = RecallMemory.empty(BACKBONE) if memory is None else memory
    left = list(texts)
    while left:
        size = sizes[len(left) % len(sizes)]
        memory, left = memory.learn(batch_of(left[:size])), left[size:]
    return memory


def content(memory):
    state = memory.to_state()
    return state.metadata, {name: part.tobytes() for name, part in state.tensors.items()}


@settings(max_examples=25, deadline=None)
@given(TEXTS, TEXTS, st.randoms(use_true_random=False), st.lists(st.integers(1, 4), min_size=1))
def test_order_batches_merging_forgetting_and_files_change_no_bit(texts, others, random, sizes):
    expected = learn(texts)
    shuffled = random.sample(texts, len(texts))
    cut = random.randint(0, len(texts))
    first, second = learn(shuffled[:cut]), learn(shuffled[cut:], sizes=sizes)
    noisy = learn(others, learn(shuffled, sizes=sizes))
    forgotten = noisy
    for text in random.sample(others, len(others)):
        forgotten = forgotten.forget(batch_of([text]))
    saved = RecallMemory.empty(BACKBONE).from_state(first.to_state())
    ways = [
        learn(shuffled, sizes=sizes),
        first.merge(second),
        second.merge(first),
        learn(shuffled[cut:], saved),
        forgotten,
    ]
    asked = torch.stack([torch.arange(VOCABULARY).float()] * 3)
    contexts = torch.from_numpy(hash_contexts(texts[0].numpy()[None])[0, :3])
    for memory in ways:
        assert content(memory) == content(expected)
        assert (memory.weights.weights == expected.weights.weights).all()
        assert torch.equal(
            memory.read(asked[: len(contexts)], contexts),
            expected.read(asked[: len(contexts)], contexts),
        )
    assert content(noisy) != content(expected)


@settings(max_examples=25, deadline=None)
@given(TEXTS)
def test_a_text_that_was_not_learned_so_often_is_not_forgotten(texts):
    memory = learn(texts)
    with pytest.raises(ForgettingError):
        memory.forget(batch_of([*texts, texts[0]]))
    with pytest.raises(ForgettingError):
        memory.forget(batch_of([torch.tensor([90, 91])]))


def test_files_hold_every_bit(tmp_path, llama, tokens):
    model = FaastForCausalLM.from_base(llama, RECALL).learn(tokens)
    model.save_pretrained(tmp_path)
    saved = persistence.load(tmp_path / "memory.safetensors").memories["default"]
    (memory,) = model._adapters["default"].parts
    assert content(memory) == content(RecallMemory.empty(BACKBONE).from_state(saved.part("logits")))


# -- hostile texts


@pytest.mark.parametrize("shape", [(0, 0), (1, 0), (0, 4), (1, 1), (3, 1)])
def test_texts_with_nothing_to_learn_are_refused(llama, shape):
    model = FaastForCausalLM.from_base(llama, RECALL)
    with pytest.raises(ValueError, match=r"at least two tokens|no token to learn"):
        model.learn(torch.ones(shape, dtype=torch.long))
    assert model.memory_size == 0
    assert not model.adapters


def test_a_million_tokens_of_one_kind_take_the_room_of_one_passage():
    memory = RecallMemory.empty(BACKBONE)
    one = batch_of(list(torch.full((1024, 64), 7)))
    for _ in range(16):
        memory = memory.learn(one)
    assert memory.n_pairs == 16 * 1024 * 63
    assert len(memory.counts.ngrams) == N_LENGTHS
    assert memory.nbytes < 100_000
    asked = torch.zeros(1, VOCABULARY)
    found = memory.read(
        asked, torch.from_numpy(hash_contexts(torch.full((1, 8), 7).numpy())[0, -1:])
    )
    assert torch.isfinite(found).all()
    assert found.argmax() == 7


def test_a_million_tokens_of_noise_take_bounded_room_and_time():
    generator = torch.Generator().manual_seed(0)
    memory = RecallMemory.empty(BACKBONE)
    seconds = []
    for _ in range(16):
        noise = torch.randint(VOCABULARY, (1024, 64), generator=generator)
        batch = batch_of(list(noise))
        started = time.process_time()
        memory = memory.learn(batch)
        seconds.append(time.process_time() - started)
    assert memory.n_pairs == 16 * 1024 * 63
    assert memory.nbytes < 16.5 * MAX_NGRAMS  # two numbers an n-gram, and the sample
    assert median(seconds[8:]) < 2 * median(seconds[:8])  # a pause to collect garbage is no growth
    started = time.process_time()
    memory.solve()
    contexts = torch.from_numpy(hash_contexts(noise.numpy()))
    for row in contexts[:8]:
        mixed = memory.read(torch.zeros(64, VOCABULARY), row)
        assert torch.isfinite(mixed).all()
    assert time.process_time() - started < 4 * max(seconds)
