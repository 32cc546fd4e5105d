import pytest
import torch

from faast.lm.baselines import HeadTuning, LinearProjection, LoRA, NearestTokens, ZeroShot
from faast.lm.baselines.base import Training
from faast.lm.perplexity import perplexity

FAST = Training(epochs=4, learning_rate=0.02)


@pytest.fixture
def windows(tokens):
    return tokens.repeat(3, 1)


@pytest.mark.parametrize(
    "adapter",
    [LinearProjection(FAST), HeadTuning(FAST), NearestTokens(n_neighbours=8), LoRA(training=FAST)],
    ids=["projection", "head", "neighbours", "lora"],
)
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_adapters_learn_the_text(adapter, llama, tokens, windows):
    if isinstance(adapter, LoRA):
        pytest.importorskip("peft")
    frozen = perplexity(llama, tokens.flatten(), 20)
    adapted = adapter(llama, windows)
    assert perplexity(adapted.model, tokens.flatten(), 20) < 0.9 * frozen
    assert adapted.extra_bytes > 0


def test_zero_shot_is_the_model_itself(llama, windows):
    adapted = ZeroShot()(llama, windows)
    assert adapted.model is llama
    assert adapted.extra_bytes == 0


def test_training_does_not_touch_the_global_random_state(llama, windows):
    before = torch.random.get_rng_state()
    LinearProjection(FAST)(llama, windows)
    after = torch.random.get_rng_state()
    assert torch.equal(before, after)
