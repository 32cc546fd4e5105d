import numpy as np
import pytest
import torch

from faast import PseudoInverse
from faast.evaluation.baselines.block_average import BlockAverageMemory
from faast.lm import MemoryConfig
from faast.lm.paper_memory import PairBuffer, pseudo_inverse


def random_pairs(n_pairs, n_features=6, n_values=3):
    generator = torch.Generator().manual_seed(n_pairs)
    scale = 0.5 ** torch.arange(n_features)
    keys = torch.randn(n_pairs, n_features, generator=generator) * scale
    return keys, torch.randn(n_pairs, n_values, generator=generator)


@pytest.mark.parametrize("shape", [(4, 9), (40, 6), (1, 6)])
@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_the_pseudo_inverse_is_the_filtered_one(shape, alpha):
    keys, _ = random_pairs(*shape)
    found = pseudo_inverse(keys, PseudoInverse(alpha)).numpy()
    rtol = min(len(keys) ** -alpha, 1 - 1e-9)
    np.testing.assert_allclose(found, np.linalg.pinv(keys.double(), rtol=rtol), atol=1e-9)


def test_keys_of_zeros_read_nothing():
    assert not bool(pseudo_inverse(torch.zeros(5, 3), PseudoInverse()).any())


@pytest.mark.parametrize("training", [False, True])
def test_a_buffer_of_tensors_is_the_average_over_arrays(training):
    config = MemoryConfig.paper(alpha=0.8, buffer_size=30, block_size=12, discount=0.9)
    rounding = PseudoInverse(rtol=30 * np.finfo(np.float32).eps)  # 30 and fewer rows differ little
    buffer = PairBuffer.empty(6, 3, config).train(training)
    arrays = BlockAverageMemory(
        rounding if training else PseudoInverse(0.8),
        buffer_size=30,
        block_size=12,
        discount=0.9 if training else 1.0,
    )
    for keys, values in zip(*(part.split(10) for part in random_pairs(70)), strict=True):
        buffer = buffer.learn(keys, values)
        arrays.learn(keys, values)
    np.testing.assert_allclose(buffer.weights, arrays.matrix, rtol=1e-4, atol=1e-5)


def test_gradients_reach_the_latest_values_only():
    keys, values = random_pairs(20)
    earlier, latest = values.clone().requires_grad_(), values.clone().requires_grad_()
    buffer = PairBuffer.empty(6, 3, MemoryConfig.paper()).train(True)
    buffer.learn(keys, earlier).learn(keys, latest).weights.sum().backward()
    assert earlier.grad is None
    assert bool(latest.grad.any())
