import math

import pytest
import torch

from benchmarks.lm_baselines import (
    HeadTuning,
    InContext,
    LinearProjection,
    LoRA,
    NearestTokens,
    PrefixTuning,
    PromptTuning,
    Training,
    ZeroShot,
)
from benchmarks.lm_baselines.nearest_tokens import Datastore
from faast.evaluation.lm.perplexity import perplexity

FAST = Training((0.003, 0.02), epochs=4)
PEFT = (LoRA, PromptTuning, PrefixTuning)

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


@pytest.fixture
def windows(tokens):
    return tokens.repeat(3, 1)


@pytest.mark.parametrize(
    ("adapter", "share"),
    [
        (LinearProjection(training=FAST), 0.7),
        (LinearProjection(2, FAST), 0.7),
        (HeadTuning(FAST), 0.7),
        (NearestTokens(n_neighbours=8), 0.7),
        (LoRA(training=FAST), 0.9),
        (PromptTuning(training=FAST), 1.0),
        (PrefixTuning(training=FAST), 1.0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_adapters_learn_the_text(adapter, share, llama, tokens, windows):
    if isinstance(adapter, PEFT):
        pytest.importorskip("peft")
    frozen = perplexity(llama, tokens.flatten(), 20)
    adapted = adapter(llama, windows)
    assert perplexity(adapted.model, tokens.flatten(), 20) < share * frozen
    assert adapted.extra_bytes > 0


def test_zero_shot_is_the_model_itself(llama, windows):
    adapted = ZeroShot()(llama, windows)
    assert adapted.model is llama
    assert adapted.extra_bytes == 0


def test_in_context_reads_as_if_the_support_stood_in_front(llama, tokens):
    adapted = InContext(n_tokens=30)(llama, tokens)
    asked = tokens[:3]
    prompt = tokens.flatten()[-30:].expand(3, -1)
    with torch.no_grad():
        expected = llama(torch.cat([prompt, asked], dim=1)).logits[:, 30:]
    torch.testing.assert_close(adapted.model(input_ids=asked).logits, expected)
    torch.testing.assert_close(adapted.model(input_ids=asked).logits, expected)
    assert adapted.extra_bytes == 4 * 2 * 2 * 8 * 30 * 4  # blocks, K and V, heads, width, tokens


def test_in_context_goes_on_without_begin_tokens_between_windows(llama, tokens, monkeypatch):
    monkeypatch.setattr(llama.config, "bos_token_id", 1)
    begin = torch.ones(len(tokens), 1, dtype=torch.long)
    support, asked = torch.cat([begin, tokens % 20 + 2], dim=1).split([len(tokens) - 3, 3])
    adapted = InContext(n_tokens=30)(llama, support)
    prompt = torch.cat([begin[0], support[:, 1:].flatten()[-30:]]).expand(3, -1)
    with torch.no_grad():
        expected = llama(torch.cat([prompt, asked[:, 1:]], dim=1)).logits[:, 30:]
    torch.testing.assert_close(adapted.model(input_ids=asked).logits, expected)


def test_in_context_fills_the_positions_of_the_model(llama, tokens):
    assert InContext()(llama, tokens).extra_bytes == 4 * 2 * 2 * 8 * (64 - 20) * 4
    with pytest.raises(ValueError, match="window of 64 tokens"):
        InContext()(llama, tokens.flatten()[:192].view(-1, 64))


def test_the_same_number_of_parameters_as_a_linear_memory(llama, windows):
    pytest.importorskip("peft")
    adapted = LoRA(training=Training((0.01,), epochs=1))(llama, windows)
    assert 0.7 * 32**2 < adapted.extra_bytes / 4 <= 32**2


def test_lora_asks_for_layers_where_peft_names_none(llama, windows, monkeypatch):
    pytest.importorskip("peft")
    monkeypatch.setattr(llama.config, "model_type", "unheard_of")
    with pytest.raises(ValueError, match="'unheard_of'; name them by targets"):
        LoRA(training=FAST)(llama, windows)


def test_training_keeps_the_best_weights_and_leaves_the_random_state(llama, tokens, windows):
    before = torch.random.get_rng_state()
    frozen = perplexity(llama, windows.flatten(), 20)
    destructive = Training((1e3,), epochs=2)
    LinearProjection(training=destructive)(llama, windows)
    assert perplexity(llama, windows.flatten(), 20) == pytest.approx(frozen)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_held_out_windows_choose_the_learning_rate(llama, tokens, windows):
    LinearProjection(training=Training((1e-6, 0.02), epochs=3))(llama, windows)
    assert perplexity(llama, tokens.flatten(), 20) < 20


def test_training_is_checked_at_even_shares_of_each_epoch(llama, windows):
    seen = []

    def watch(model):
        seen.append(steps)

    training = Training(
        (1e-3,), epochs=2, checks_per_epoch=4, patience=8, batch_size=2, on_validation=watch
    )
    steps = 0

    def count(_, args, kwargs):
        nonlocal steps
        steps += torch.is_grad_enabled()

    llama.register_forward_pre_hook(count, with_kwargs=True)
    LinearProjection(training=training)(llama, windows)
    per_epoch = steps // 2
    assert seen == [0, *(math.ceil(per_epoch * check / 4) for check in range(1, 9))]


def test_one_window_is_too_little_to_train_on(llama, tokens):
    with pytest.raises(ValueError, match="two windows or more"):
        LinearProjection()(llama, tokens[:1])


def test_the_nearest_keys_are_found_exactly():
    generator = torch.Generator().manual_seed(0)
    keys, rows = (torch.randn(n, 5, generator=generator) for n in (1000, 40))
    near = Datastore(keys, torch.arange(1000)).nearest(rows, 7)
    expected = torch.cdist(rows, keys).square().topk(7, largest=False)
    assert torch.equal(near.tokens, expected.indices)
    torch.testing.assert_close(near.distances, expected.values, rtol=1e-4, atol=1e-4)
