"""What memories are given of a batch."""

import torch

from faast.lm.batch import TokenBatch
from faast.lm.collecting import next_token_pairs


def test_each_target_knows_how_many_are_of_its_text():
    tokens = torch.arange(3 * 7).reshape(3, 7)
    attention = torch.tensor([[1] * 7, [1] * 7, [0, 0, 0, 1, 1, 1, 1]])
    answers = torch.tensor([[1] * 7, [0, 0, 0, 0, 0, 1, 1], [1] * 7])
    documents = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [0] * 7, [0] * 7])
    pairs = next_token_pairs(TokenBatch(tokens, attention, answers, documents))
    assert pairs.text_lengths.tolist() == [2, 2, 3, 3, 3, 2, 2, 3, 3, 3]
