import torch

from benchmarks.lm_baselines import LinearProjection, Training
from benchmarks.lm_baselines.fused_loss import fused_loss
from faast.lm.hooks import HEAD, Hooks


def test_loss_and_gradient_are_those_of_the_model(llama, tokens):
    shift = torch.zeros(32, requires_grad=True)
    Hooks(llama, (HEAD,), lambda _, hidden: hidden + shift)
    llama.requires_grad_(False)

    def derive():
        loss = llama(input_ids=tokens, labels=tokens).loss
        return loss.detach(), *torch.autograd.grad(loss, [shift])

    expected = derive()
    with fused_loss(llama):
        found = derive()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(derive(), expected)


@torch.no_grad()
def test_a_projection_that_was_trained_with_it_has_learned(llama, tokens):
    frozen = float(llama(input_ids=tokens, labels=tokens).loss)
    with fused_loss(llama), torch.enable_grad():
        LinearProjection(training=Training((0.02,), epochs=4))(llama, tokens.repeat(3, 1))
    assert float(llama(input_ids=tokens, labels=tokens).loss) < 0.7 * frozen
