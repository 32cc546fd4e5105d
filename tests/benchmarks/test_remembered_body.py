import copy

import pytest
import torch

from benchmarks.lm.remembered_body import RememberedBody
from faast.lm import FaastForCausalLM, MemoryConfig


@pytest.fixture
def remembered(llama):
    model = copy.deepcopy(llama)
    model.model = RememberedBody(model.model)
    return model


@pytest.mark.parametrize(
    "config",
    [MemoryConfig(), MemoryConfig("pseudoinverse"), MemoryConfig(recall=True)],
    ids=["natural", "pseudoinverse", "recall"],
)
def test_memories_learn_and_are_read_as_on_the_model_itself(config, llama, remembered, tokens):
    logits = []
    for base in (llama, remembered):
        model = FaastForCausalLM.from_base(base, config)
        for batch in tokens.split(4):
            model.learn(batch)
        with torch.no_grad():
            logits.append(model(tokens[:2]).logits)
        model.detach()
    with torch.no_grad():
        assert not torch.allclose(logits[0], llama(tokens[:2]).logits, atol=1e-2)
    torch.testing.assert_close(logits[1], logits[0], rtol=1e-4, atol=1e-4)


def test_each_row_is_computed_once_and_charged_each_time(remembered, tokens):
    body = remembered.model
    calls = []
    body.decoder.register_forward_pre_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        first = remembered(input_ids=tokens[:3]).logits
        assert (len(calls), body.saved_seconds) == (3, 0.0)
        again = remembered(input_ids=tokens[[2, 0, 1]]).logits
    assert len(calls) == 3
    assert torch.equal(again[[1, 2, 0]], first)
    assert body.saved_seconds == pytest.approx(3 * 20 * body.seconds_per_token)


def test_masks_and_caches_are_refused(remembered, tokens):
    with pytest.raises(ValueError, match="without a mask or a cache"):
        remembered(input_ids=tokens, attention_mask=torch.ones_like(tokens))
