import pytest
import torch
from torch.nn import functional

from faast.lm import lm_head as head_module
from faast.lm.exceptions import UnsupportedModelError
from faast.lm.lm_head import LMHead, token_losses
from tests.lm.models import VOCABULARY, tiny

WIDTH = 6


@pytest.fixture(
    params=[(1.0, None), (0.5, None), (2.0, 3.0)], ids=["plain", "scaled", "scaled and capped"]
)
def head(request):
    linear = torch.nn.Linear(WIDTH, VOCABULARY)
    torch.nn.init.normal_(linear.weight, generator=torch.Generator().manual_seed(0))
    return LMHead(linear, *request.param)


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(1)
    targets = torch.randint(0, VOCABULARY, (9,), generator=generator)
    return torch.randn(9, WIDTH, generator=generator), targets


def test_gradients_are_those_of_automatic_differentiation(head, rows):
    hidden, targets = rows
    wanted = hidden.clone().requires_grad_()
    loss = functional.cross_entropy(head.logits(wanted), targets, reduction="sum")
    loss.backward()
    found = head.derivatives(hidden, targets)
    torch.testing.assert_close(found.gradients, -wanted.grad)
    assert head.loss(hidden, targets) == pytest.approx(float(loss.detach()))


def test_curvature_is_the_fisher_information_of_the_rows(head, rows):
    hidden, targets = rows
    expected = torch.zeros(WIDTH, WIDTH)
    for row in hidden:
        p = head.logits(row).softmax(-1)
        for token in range(VOCABULARY):
            at = row.clone().requires_grad_()
            functional.log_softmax(head.logits(at), -1)[token].backward()
            expected += p[token] * torch.outer(at.grad, at.grad)
    found = head.derivatives(hidden, targets).curvature
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_chunks_change_nothing(head, rows, monkeypatch):
    whole = head.derivatives(*rows)
    monkeypatch.setattr(head_module, "CHUNK_LOGITS", 2 * VOCABULARY)
    monkeypatch.setattr(head_module, "CHUNK_ROWS", 2)
    parts = head.derivatives(*rows)
    torch.testing.assert_close(parts.gradients, whole.gradients)
    torch.testing.assert_close(parts.curvature, whole.curvature)


def test_losses_along_a_line_are_losses_at_its_points(head, rows):
    hidden, targets = rows
    direction = hidden.flip(0)
    steps = [0.0, 0.5, 2.0]
    expected = [head.loss(hidden + step * direction, targets) for step in steps]
    assert head.line_losses(hidden, direction, targets, steps) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("gemma2", {"final_logit_softcapping": 2.0}),
        ("granite", {"logits_scaling": 4.0}),
        ("cohere", {"logit_scale": 0.3}),
    ],
)
def test_scale_and_cap_are_read_from_the_model(kind, settings, tokens):
    sizes = {"intermediate_size": 48, "num_key_value_heads": 2}
    model = tiny(kind, **sizes, **settings)
    fed = []
    model.lm_head.register_forward_pre_hook(lambda _module, args: fed.append(args[0]))
    with torch.no_grad():
        logits = model(tokens[:1]).logits
    torch.testing.assert_close(LMHead.from_model(model, model.lm_head).logits(fed[0][0]), logits[0])


def test_an_unknown_transform_of_the_logits_is_refused(head, rows):
    hidden, _ = rows
    with pytest.raises(UnsupportedModelError, match="transforms its logits"):
        head.check(hidden, head.logits(hidden) + 1.0)


def test_losses_of_a_few_rows_at_a_time_are_those_of_all():
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 400_000, generator=random, dtype=torch.bfloat16)  # two rows fit
    tokens = torch.randint(400_000, (5,), generator=random)
    expected = -logits.float().log_softmax(-1).gather(1, tokens[:, None])[:, 0]
    torch.testing.assert_close(token_losses(logits, tokens), expected)
    assert token_losses(logits[:0], tokens[:0]).shape == (0,)
