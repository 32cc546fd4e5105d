import pytest
import torch

from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.exceptions import FoldingError, UnsupportedModelError
from faast.lm.key_features import KeyFeatures
from faast.lm.lm_head import LMHead
from faast.lm.natural import NaturalPass
from tests.lm.passes import head_rows, one_pass

VOCABULARY, WIDTH = 20, 8


def learn(head, rows, targets, features=None):
    n_keys = features.n_keys if features else WIDTH
    empty = NaturalPass.empty(n_keys, WIDTH, key_features=features)
    return one_pass(empty, head, head_rows(rows, targets))


def test_random_features_learn_what_no_linear_shift_can():
    generator = torch.Generator().manual_seed(0)
    head = torch.nn.Linear(WIDTH, VOCABULARY, bias=False)
    torch.nn.init.normal_(head.weight, generator=generator)
    rows = torch.randn(8000, WIDTH, generator=generator)
    shifted = rows.clone()
    shifted[:, 0] += 3 * torch.sign(rows[:, 1] * rows[:, 2])
    p = head(shifted).detach().softmax(-1)
    targets = torch.multinomial(p, 1, generator=generator)[:, 0]
    head = LMHead(head)
    frozen = head.loss(rows[6000:], targets[6000:])
    losses = []
    for features in (None, KeyFeatures(WIDTH)):
        state = learn(head, rows[:6000], targets[:6000], features)
        asked = rows[6000:]
        losses.append(head.loss(asked + state.keys(asked) @ state.weights, targets[6000:]))
    assert losses[1] < 0.95 * losses[0] <= frozen


def test_keys_grow_with_the_row_and_begin_with_it():
    features = KeyFeatures(WIDTH)
    rows = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(0))
    keys, larger = features(rows), features(10 * rows)
    assert keys.shape == (5, features.n_keys)
    torch.testing.assert_close(keys[:, :WIDTH], rows)
    assert bool((keys[:, WIDTH] == 1).all())
    torch.testing.assert_close(larger[:, WIDTH + 1 :], 10 * keys[:, WIDTH + 1 :])
    assert bool(torch.isfinite(features(torch.zeros(1, WIDTH))).all())


def test_a_memory_with_random_features_is_kept_in_a_file_but_does_not_fold(llama, tokens, tmp_path):
    text = tokens.repeat(6, 1)
    model = FaastForCausalLM.from_base(llama, MemoryConfig(random_features=True))
    with torch.no_grad():
        frozen = model(tokens, labels=tokens).loss
        for batch in text.split(12):
            model.learn(batch)
        learned = model(tokens, labels=tokens)
    assert learned.loss < frozen
    with pytest.raises(FoldingError, match="random_features=False"):
        model.fold()
    model.save_pretrained(tmp_path)
    again = FaastForCausalLM.from_pretrained(tmp_path, base=model.detach())
    with torch.no_grad():
        torch.testing.assert_close(again(tokens).logits, learned.logits)
        again.learn(text)


def test_only_a_natural_memory_has_random_features():
    with pytest.raises(ValueError, match='needs output="natural"'):
        MemoryConfig("pseudoinverse", random_features=True)


def test_rows_too_wide_for_random_features_are_refused():
    with pytest.raises(UnsupportedModelError, match="4096 numbers"):
        KeyFeatures(4096)
