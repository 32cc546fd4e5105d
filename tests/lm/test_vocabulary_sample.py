import pytest
import torch
from torch.nn import functional

from faast.lm.lm_head import LMHead
from faast.lm.natural import NaturalPass
from faast.lm.vocabulary_sample import sample_vocabulary
from tests.lm.passes import head_rows, one_pass

VOCABULARY, WIDTH = 20_000, 12


@pytest.fixture(params=[(1.0, None), (2.0, 12.0)], ids=["plain", "scaled and capped"])
def head(request):
    linear = torch.nn.Linear(WIDTH, VOCABULARY)
    generator = torch.Generator().manual_seed(0)
    torch.nn.init.normal_(linear.weight, generator=generator)
    torch.nn.init.normal_(linear.bias, generator=generator)
    return LMHead(linear, *request.param)


@pytest.fixture
def rows():
    return torch.randn(3000, WIDTH, generator=torch.Generator().manual_seed(1))


def tokens_after(head, rows):
    generator = torch.Generator().manual_seed(2)
    chosen = [
        torch.multinomial(head.logits(part).softmax(-1), 1, generator=generator)
        for part in rows.split(500)
    ]
    return torch.cat(chosen)[:, 0]


def test_some_tokens_give_the_losses_and_gradients_of_all(head, rows):
    block = rows[:600]
    targets = tokens_after(head, block)
    few, found = sample_vocabulary(head, block, targets, seed=3)
    assert few.vocabulary < VOCABULARY / 3
    torch.testing.assert_close(few.weight[found], head.weight[targets])
    assert few.loss(block, found) == pytest.approx(head.loss(block, targets), rel=0.01)
    ours, all_tokens = few.derivatives(block, found), head.derivatives(block, targets)
    similar = functional.cosine_similarity(ours.gradients, all_tokens.gradients)
    assert float(similar.mean()) > 0.95
    torch.testing.assert_close(
        ours.curvature.trace(), all_tokens.curvature.trace(), rtol=0.05, atol=0.0
    )


def test_the_estimated_sum_of_exponentials_has_no_bias(head, rows):
    block = rows[:8]
    targets = tokens_after(head, block)
    sums = torch.stack(
        [
            sample_vocabulary(head, block, targets, seed).head.logits(block).exp().sum(-1).double()
            for seed in range(40)
        ]
    )
    expected = head.logits(block).exp().sum(-1).double()
    torch.testing.assert_close(sums.mean(0), expected, rtol=0.05, atol=0.0)


def test_a_pass_over_a_large_vocabulary_finds_the_shift(head, rows):
    shift = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(4)) / 3
    targets = tokens_after(head, rows + rows @ shift)
    state = one_pass(NaturalPass.empty(WIDTH, WIDTH), head, head_rows(rows[:2500], targets[:2500]))
    held, answers = rows[2500:], targets[2500:]
    frozen, best = head.loss(held, answers), head.loss(held + held @ shift, answers)
    assert head.loss(held + held @ state.weights, answers) - best < 0.25 * (frozen - best)


def test_a_small_vocabulary_is_taken_whole():
    head = LMHead(torch.nn.Linear(WIDTH, 500))
    targets = torch.arange(10)
    few, found = sample_vocabulary(head, torch.randn(10, WIDTH), targets, seed=0)
    assert few is head
    assert found is targets
