"""Answers of a model: their probabilities, and what it writes."""

import pytest
import torch

from faast.evaluation.lm.classification import answer_probabilities
from faast.evaluation.lm.generation import generate_continuations
from faast.lm import FaastForCausalLM
from faast.lm.documents import answer_document, pad_documents
from tests.lm.models import tiny

PROMPTS = ["Review: the film was good Sentiment:", "Review: a very bad film Sentiment:"]
LONG = "Review:" + " the king was seen by the king" * 20 + " Sentiment:"


def one_logit_each(model, tokenizer, prompt, answers):
    ids = tokenizer(prompt, return_tensors="pt").input_ids[:, -64:]
    with torch.no_grad():
        logits = model(ids).logits[0, -1].double()
    return logits[tokenizer(" ".join(answers)).input_ids].softmax(0).numpy()


@pytest.mark.parametrize("kind", ["llama", "gpt2", "opt", "mamba"])
def test_probabilities_are_those_of_every_prompt_alone(kind, tokenizer):
    sizes = {
        "llama": {"intermediate_size": 48, "max_position_embeddings": 64},
        "gpt2": {"n_positions": 64},
        "opt": {"ffn_dim": 48, "max_position_embeddings": 64, "word_embed_proj_dim": 32},
        "mamba": {"state_size": 4},
    }
    model = tiny(kind, **sizes[kind])
    found = answer_probabilities(model, tokenizer, PROMPTS, [" good", " bad", " fine"])
    for prompt, row in zip(PROMPTS, found, strict=True):
        expected = one_logit_each(model, tokenizer, prompt, ["good", "bad", "fine"])
        assert row == pytest.approx(expected, abs=1e-5)


def test_the_beginning_of_a_long_prompt_is_left_out(llama, tokenizer):
    with pytest.warns(UserWarning, match="1 of 2 prompts are longer than the 64 tokens"):
        row, _ = answer_probabilities(llama, tokenizer, [LONG, PROMPTS[0]], [" good", " bad"])
    assert row == pytest.approx(one_logit_each(llama, tokenizer, LONG, ["good", "bad"]), abs=1e-5)
    with pytest.warns(UserWarning, match="longer than the 59 tokens that the model has room"):
        (text,) = generate_continuations(llama, tokenizer, [LONG], max_new_tokens=5)
    assert len(text.split()) <= 5


def test_what_the_answers_share_belongs_to_the_question(llama, tokenizer):
    shared = answer_probabilities(llama, tokenizer, PROMPTS, [" very good", " very bad"])
    asked = [f"{prompt} very" for prompt in PROMPTS]
    assert shared == pytest.approx(
        answer_probabilities(llama, tokenizer, asked, [" good", " bad"]), abs=1e-6
    )


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([" good"], "two answers or more"),
        ([" good", " good"], "do not all differ in one token"),
        ([" very good", " very bad", " fine"], "do not all differ in one token"),
        ([" good", " good film"], "do not all differ in one token"),
    ],
)
def test_answers_that_one_token_cannot_tell_apart_are_refused(llama, tokenizer, answers, message):
    with pytest.raises(ValueError, match=message):
        answer_probabilities(llama, tokenizer, PROMPTS, answers)


@pytest.mark.parametrize("n_copies", [30, 300])
def test_learned_answers_are_chosen_and_written(llama, tokenizer, n_copies):
    model = FaastForCausalLM.from_base(llama)
    lessons = [
        answer_document(tokenizer, p, a) for p, a in zip(PROMPTS, (" good", " bad"), strict=True)
    ]
    for batch in pad_documents(lessons * n_copies, 10):
        model.learn(**batch._asdict())
    found = answer_probabilities(model, tokenizer, PROMPTS, [" good", " bad"])
    assert found.argmax(axis=1).tolist() == [0, 1]
    assert generate_continuations(model, tokenizer, PROMPTS, max_new_tokens=4) == ["good", "bad"]
    assert generate_continuations(model, tokenizer, PROMPTS, max_new_tokens=4, num_beams=3) == [
        "good",
        "bad",
    ]


def test_an_empty_prompt_is_begun_with_the_begin_or_the_end_token(llama, tokenizer):
    answers = [" good", " bad"]
    begun = answer_probabilities(llama, tokenizer, ["</s>"], answers)
    found = answer_probabilities(llama, tokenizer, ["", PROMPTS[0]], answers)
    assert found[0] == pytest.approx(begun[0], abs=1e-6)
    ids = torch.tensor([[tokenizer.eos_token_id]])
    new = llama.generate(ids, max_new_tokens=4, do_sample=False, eos_token_id=2, pad_token_id=2)
    expected = tokenizer.decode(new[0, 1:], skip_special_tokens=True).strip()
    alone = generate_continuations(llama, tokenizer, [""], max_new_tokens=4)
    beside = generate_continuations(llama, tokenizer, [PROMPTS[0], ""], max_new_tokens=4)
    assert alone == [beside[1]] == [expected]
    tokenizer.bos_token = "king"
    assert answer_probabilities(llama, tokenizer, [""], answers) == pytest.approx(
        answer_probabilities(llama, tokenizer, ["king"], answers), abs=1e-6
    )


def test_an_empty_prompt_of_a_model_without_such_tokens_is_refused(llama, tokenizer):
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match="prompt 2 is empty"):
        generate_continuations(llama, tokenizer, [PROMPTS[0], ""], max_new_tokens=4)
    with pytest.raises(ValueError, match="prompt 1 is empty"):
        answer_probabilities(llama, tokenizer, ["", PROMPTS[0]], [" good", " bad"])


@pytest.mark.filterwarnings("ignore:1 of")
def test_order_and_batch_size_do_not_matter_to_what_is_written(llama, tokenizer):
    prompts = [PROMPTS[0], "the king", LONG, PROMPTS[1], "a"]
    alone = [generate_continuations(llama, tokenizer, [p], max_new_tokens=6)[0] for p in prompts]
    assert (
        generate_continuations(llama, tokenizer, prompts, max_new_tokens=6, batch_size=3) == alone
    )
