import pytest
import torch

from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.exceptions import UnsupportedModelError
from faast.lm.lm_head import OutputHead
from faast.lm.merging import FoldingError
from faast.lm.natural import KeyLift, NaturalState

VOCABULARY, WIDTH = 20, 8


def learn(head, rows, targets, lift=None):
    state, start = NaturalState.empty(lift.n_keys if lift else WIDTH, WIDTH, lift=lift), 0
    while len(rows) - start >= (size := state.next_block()):
        state = state.learned(head, rows[start : start + size], targets[start : start + size])
        start += size
    return state.finished(head, rows[start:], targets[start:])


def test_lifted_keys_learn_what_no_linear_shift_can():
    generator = torch.Generator().manual_seed(0)
    head = torch.nn.Linear(WIDTH, VOCABULARY, bias=False)
    torch.nn.init.normal_(head.weight, generator=generator)
    rows = torch.randn(8000, WIDTH, generator=generator)
    shifted = rows.clone()
    shifted[:, 0] += 3 * torch.sign(rows[:, 1] * rows[:, 2])
    p = head(shifted).detach().softmax(-1)
    targets = torch.multinomial(p, 1, generator=generator)[:, 0]
    head = OutputHead(head)
    frozen = head.loss(rows[6000:], targets[6000:])
    losses = []
    for lift in (None, KeyLift(WIDTH)):
        state = learn(head, rows[:6000], targets[:6000], lift)
        asked = rows[6000:]
        losses.append(head.loss(asked + state.keys(asked) @ state.chosen, targets[6000:]))
    assert losses[1] < 0.95 * losses[0] <= frozen


def test_keys_grow_with_the_row_and_begin_with_it():
    lift = KeyLift(WIDTH)
    rows = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(0))
    keys, larger = lift(rows), lift(10 * rows)
    assert keys.shape == (5, lift.n_keys)
    torch.testing.assert_close(keys[:, :WIDTH], rows)
    assert bool((keys[:, WIDTH] == 1).all())
    torch.testing.assert_close(larger[:, WIDTH + 1 :], 10 * keys[:, WIDTH + 1 :])
    assert bool(torch.isfinite(lift(torch.zeros(1, WIDTH))).all())


def test_a_lifted_memory_is_kept_in_a_file_but_does_not_fold(llama, tokens, tmp_path):
    text = tokens.repeat(6, 1)
    model = FaastForCausalLM.from_base(llama, MemoryConfig(lift=True))
    with torch.no_grad():
        frozen = model(tokens, labels=tokens).loss
        for batch in text.split(12):
            model.learn(batch)
        learned = model(tokens, labels=tokens)
    assert learned.loss < frozen
    with pytest.raises(FoldingError, match="lift=False"):
        model.fold()
    model.save_pretrained(tmp_path)
    again = FaastForCausalLM.from_pretrained(tmp_path, base=model.detach())
    with torch.no_grad():
        torch.testing.assert_close(again(tokens).logits, learned.logits)
        again.learn(text)


def test_only_a_natural_memory_is_lifted():
    with pytest.raises(ValueError, match="lifts the keys of"):
        MemoryConfig("pseudoinverse", lift=True)


def test_rows_too_wide_for_a_lift_are_refused():
    with pytest.raises(UnsupportedModelError, match="4096 numbers"):
        KeyLift(4096)
