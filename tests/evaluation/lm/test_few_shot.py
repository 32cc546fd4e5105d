"""A few examples for every question."""

from collections import Counter

import pytest
import torch

from faast.evaluation.lm.classification import answer_probabilities
from faast.evaluation.lm.few_shot import draw_shots, in_context_probabilities, memory_probabilities
from faast.evaluation.lm.prompts import Example
from faast.lm import FaastForCausalLM

SUPPORT = [
    Example(f"Review: the {word} was seen Sentiment:", " good") for word in ("a", "good", "film")
]
SUPPORT += [
    Example(f"Review: a {word} king Sentiment:", " bad") for word in ("bad", "very", "was", "fine")
]
ANSWERS = [" good", " bad"]
PROMPTS = ["Review: the film was seen Sentiment:", "Review: a bad king Sentiment:"]


def test_every_question_has_as_many_examples_of_each_answer():
    drawn = list(draw_shots(SUPPORT, 20, 2))
    assert all(Counter(e.answer for e in examples) == {" good": 2, " bad": 2} for examples in drawn)
    assert all(len(set(examples)) == 4 for examples in drawn)
    assert list(draw_shots(SUPPORT, 5, 2)) == drawn[:5]
    assert list(draw_shots(SUPPORT, 20, 2, seed=1)) != drawn
    with pytest.raises(ValueError, match=r"in 1\.\.3, the examples of ' good'"):
        next(draw_shots(SUPPORT, 1, 4))


def test_shots_are_learned_for_their_question_alone(llama, tokenizer):
    model = FaastForCausalLM.from_base(llama)
    plain = answer_probabilities(model, tokenizer, PROMPTS, ANSWERS)
    shots = list(draw_shots(SUPPORT, 2, 3))
    found = memory_probabilities(model, tokenizer, PROMPTS, shots, ANSWERS)
    alone = memory_probabilities(model, tokenizer, PROMPTS[1:], shots[1:], ANSWERS)
    assert found[1] == pytest.approx(alone[0])
    assert (found != plain).all()
    assert model.adapters == []
    assert (answer_probabilities(model, tokenizer, PROMPTS, ANSWERS) == plain).all()


@torch.no_grad()
def test_in_context_probabilities_stand_before_the_question(llama, tokenizer):
    shots = [[SUPPORT[0], SUPPORT[3]], [SUPPORT[1], SUPPORT[4]]]
    found = in_context_probabilities(llama, tokenizer, PROMPTS, shots, ANSWERS)
    text = "".join("".join(example) + " " for example in shots[1]) + PROMPTS[1]
    assert found[1] == pytest.approx(answer_probabilities(llama, tokenizer, [text], ANSWERS)[0])
