import math

import pytest
import torch

from faast.evaluation.lm.perplexity import perplexity


def test_windows_are_scored_apart_and_the_rest_left_out(llama, tokens):
    text = tokens.flatten()[:45]
    with torch.no_grad():
        losses = [float(llama(part, labels=part).loss) for part in text[:40].view(4, 1, 10)]
    expected = math.exp(sum(losses) / 4)
    assert perplexity(llama, text, window=10, batch_size=3) == pytest.approx(expected, rel=1e-5)


def test_less_than_a_window_is_refused(llama, tokens):
    with pytest.raises(ValueError, match="20 tokens, less than one window of 64"):
        perplexity(llama, tokens[0], window=64)
