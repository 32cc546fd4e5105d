import lzma
import math

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from faast.lm import FaastForCausalLM, MemoryConfig, natural
from faast.lm.head_rows import LONGEST_TEXT
from faast.lm.lm_head import LMHead
from faast.lm.natural import NaturalPass
from tests.lm.passes import head_rows, one_pass

VOCABULARY, WIDTH = 40, 8


@pytest.fixture
def stream():
    """Rows whose tokens a shifted head would predict, and the head as it is."""
    generator = torch.Generator().manual_seed(0)
    head = torch.nn.Linear(WIDTH, VOCABULARY, bias=False)
    torch.nn.init.normal_(head.weight, generator=generator)
    rows = torch.randn(6000, WIDTH, generator=generator)
    shift = torch.randn(WIDTH, WIDTH, generator=generator) / 2
    p = functional.linear(rows + rows @ shift, head.weight).softmax(-1)
    targets = torch.multinomial(p, 1, generator=generator)[:, 0]
    return LMHead(head), rows, targets, shift


def learn(head, rows, targets):
    return one_pass(NaturalPass.empty(WIDTH, WIDTH), head, head_rows(rows, targets))


def test_one_pass_finds_the_shift_that_made_the_tokens(stream):
    head, rows, targets, shift = stream
    chosen = learn(head, rows, targets).weights
    frozen, best = head.loss(rows, targets), head.loss(rows + rows @ shift, targets)
    learned = head.loss(rows + rows @ chosen, targets)
    assert learned - best < 0.05 * (frozen - best)
    assert torch.linalg.norm(chosen - shift) < 0.3 * torch.linalg.norm(shift)


def test_the_direction_is_the_damped_natural_gradient(stream):
    head, rows, targets, _ = stream
    block, tokens = rows[:600], targets[:600]
    state = NaturalPass.empty(WIDTH, WIDTH)._propose(head, head_rows(block, tokens, 1 / 20))
    wanted = torch.zeros(WIDTH, WIDTH, requires_grad=True)
    functional.cross_entropy(head.logits(block + block @ wanted), tokens).backward()
    damping = math.sqrt(natural.PRIOR_STRENGTH * WIDTH**2 / (600 / 20))
    gram = block.T @ block / 600
    gram += damping * gram.diagonal().mean() * torch.eye(WIDTH)
    curvature = head.derivatives(block, tokens).curvature / 600
    curvature += damping * curvature.diagonal().mean() * torch.eye(WIDTH)
    expected = -torch.linalg.inv(gram) @ wanted.grad @ torch.linalg.inv(curvature)
    torch.testing.assert_close(state.direction, expected, rtol=1e-3, atol=1e-4)


def test_rows_of_one_text_move_the_model_less_than_rows_of_many(stream):
    head, rows, targets, _ = stream
    block, tokens = rows[:600], targets[:600]
    one, many = (
        NaturalPass.empty(WIDTH, WIDTH)._propose(head, head_rows(block, tokens, share))
        for share in (1 / LONGEST_TEXT, 1.0)
    )
    assert torch.linalg.norm(one.direction) < 0.9 * torch.linalg.norm(many.direction)


def test_tokens_without_a_rule_leave_the_model_frozen(stream):
    head, rows, _, _ = stream
    generator = torch.Generator().manual_seed(1)
    p = head.logits(rows).softmax(-1)
    own = torch.multinomial(p, 1, generator=generator)[:, 0]  # the model's own predictions
    state = learn(head, rows[:3000], own[:3000])
    after = head.loss(rows[3000:] + rows[3000:] @ state.weights, own[3000:])
    assert after <= 1.005 * head.loss(rows[3000:], own[3000:])


@pytest.mark.parametrize("n_rows", [2, 40, 300])
def test_a_pass_shorter_than_one_block_takes_effect_or_does_no_harm(stream, n_rows):
    head, rows, targets, _ = stream
    state = learn(head, rows[:n_rows], targets[:n_rows])
    before = head.loss(rows[3000:], targets[3000:])
    after = head.loss(rows[3000:] + rows[3000:] @ state.weights, targets[3000:])
    assert after <= before * 1.005
    if n_rows == 300:
        assert after < 0.9 * before


def test_an_end_at_a_full_block_is_like_one_a_row_before(stream):
    head, rows, targets, _ = stream
    before, at = (learn(head, rows[:n], targets[:n]).weights for n in (511, 512))
    assert torch.linalg.norm(at - before) < 0.2 * torch.linalg.norm(before)


def test_the_online_perplexity_is_that_of_rows_not_yet_learned(stream, monkeypatch):
    monkeypatch.setattr(natural, "LARGEST_BLOCK", 512)
    head, rows, targets, _ = stream
    state = learn(head, rows[:5000], targets[:5000])
    before = head.loss(rows[5000:], targets[5000:]) / 1000
    after = head.loss(rows[5000:] + rows[5000:] @ state.weights, targets[5000:]) / 1000
    assert after < math.log(state.online_perplexity) < before
    assert math.isnan(NaturalPass.empty(WIDTH, WIDTH).online_perplexity)


def test_blocks_are_cut_from_the_stream_not_from_calls(llama, tokens):
    text = tokens.repeat(12, 1)
    logits = []
    for size in (len(text), 1, 7):
        model = FaastForCausalLM.from_base(llama, MemoryConfig())
        for batch in text.split(size):
            model.learn(batch)
        with torch.no_grad():
            logits.append(model(tokens).logits)
        model.detach()
    torch.testing.assert_close(logits[0], logits[1], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(logits[0], logits[2], rtol=1e-3, atol=1e-3)


def test_a_story_model_learns_shakespeare(shared, tmp_path):
    folder = shared / "data" / "models" / "tinystories-656k"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    base = AutoModelForCausalLM.from_pretrained(folder)
    with lzma.open(shared / "data" / "lm" / "tinyshakespeare.txt.xz", "rt") as file:
        text = file.read()
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt", verbose=False).input_ids[0]
    windows = ids[:51_200].view(-1, 256)
    held = ids[-25_600:].view(-1, 256)

    @torch.no_grad()
    def perplexity(model):
        losses = [model(part, labels=part).loss for part in held.split(25)]
        return math.exp(sum(losses) / len(losses))

    frozen = perplexity(base)
    model = FaastForCausalLM.from_base(base)
    for batch in windows.split(20):
        model.learn(batch)
    learned = perplexity(model)
    assert frozen > 450
    assert learned < 125
    model.fold().save_pretrained(tmp_path)
    reloaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert perplexity(reloaded) == pytest.approx(learned, rel=1e-4)
