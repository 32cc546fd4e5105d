"""Completions with memories by name, asked with OpenAI's own client."""

import openai
import pytest

from faast.lm import FaastForCausalLM
from tests.serve.memories.conftest import KING, QUEEN


def complete(client, model, prompt, **settings):
    settings = {"temperature": 0, "max_tokens": 6} | settings
    return client.completions.create(model=model, prompt=prompt, **settings)


def test_memories_are_models_whose_parent_is_the_backbone(client):
    found = {model.id: model.parent for model in client.models.list()}
    assert found == {"stories": None, "king": "stories", "queen": "stories", "both": "stories"}
    assert client.models.retrieve("king").id == "king"


def test_a_memory_writes_what_it_has_read(client):
    start, rest = KING[:11], KING[11:]
    answer = complete(client, "king", start, max_tokens=11)
    assert answer.choices[0].text == rest
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.model_dump(exclude_none=True) == {
        "prompt_tokens": 3,
        "completion_tokens": 11,
        "total_tokens": 14,
    }
    assert answer.model == "king"
    assert complete(client, "stories", start, max_tokens=11).choices[0].text != rest


def test_a_text_ends_with_its_end_token(client):
    answer = complete(client, "king", KING[:11], max_tokens=30)
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == (KING[11:], "stop")


def test_the_same_as_the_library_writes(client, written, stories):
    from tests.serve.memories.conftest import WORDS, word_tokenizer

    tokenizer = word_tokenizer(WORDS)
    tokens = tokenizer("a queen", return_tensors="pt").input_ids
    for name in ("king", "queen", "both"):
        model = FaastForCausalLM.from_pretrained(written / name)
        new = model.generate(tokens, max_new_tokens=6, do_sample=False, pad_token_id=0)
        text = tokenizer.decode(new[0, 2:], skip_special_tokens=True)
        assert complete(client, name, "a queen").choices[0].text.strip() == text.strip()


@pytest.mark.parametrize("model", ["", "nobody", "king/../queen", "stories/king"])
def test_a_model_that_is_not_there(client, model):
    with pytest.raises(openai.NotFoundError, match="no model") as caught:
        complete(client, model, "the king")
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    assert caught.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"logit_bias": {"5": 3}}, "logit_bias"),
        ({"best_of": 4}, "best_of"),
        ({"extra_body": {"min_p": 0.1}}, "min_p"),
        ({"prompt": [5, 400]}, "prompt"),
        ({"prompt": "the king " * 40}, "prompt"),
        ({"stop": ["a"] * 5}, "stop"),
    ],
)
def test_what_would_change_the_answer_and_is_not_supported_is_refused(client, settings, param):
    settings = {"prompt": "the king"} | settings
    with pytest.raises(openai.BadRequestError) as caught:
        complete(client, "king", **settings)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"


def test_what_changes_nothing_is_accepted(client):
    plain = complete(client, "king", "the king").choices[0].text
    neutral = {"presence_penalty": 0, "best_of": 1, "logit_bias": {}, "suffix": None, "user": "me"}
    assert complete(client, "king", "the king", **neutral).choices[0].text == plain


def test_the_coldest_temperature_takes_the_most_probable_tokens(client):
    greedy = complete(client, "king", "the", seed=1).choices[0].text
    for temperature in (1e-310, 5e-324, 1e-100, 1e-9):
        asked = {"temperature": temperature, "seed": 1}
        assert complete(client, "king", "the", **asked).choices[0].text == greedy
        assert complete(client, "king", "the", top_p=0.5, **asked).choices[0].text == greedy


def test_prompts_are_texts_or_tokens(client, backbone):
    texts = [KING[:11], QUEEN[:10]]
    tokens = [backbone.prompt(text) for text in texts]
    each = [complete(client, "queen", text).choices[0].text for text in texts]
    for prompt in (texts, tokens):
        answer = complete(client, "queen", prompt)
        assert [choice.text for choice in answer.choices] == each
        assert [choice.index for choice in answer.choices] == [0, 1]
    assert complete(client, "queen", tokens[0]).choices[0].text == each[0]
    assert complete(client, "queen", "").usage.prompt_tokens == 1


def test_a_stop_text_ends_the_text_before_it(client):
    answer = complete(client, "king", KING[:11], max_tokens=20, stop=["here and", "castle"])
    assert answer.choices[0].text == KING[11 : KING.index("here and")]
    assert answer.choices[0].finish_reason == "stop"


def test_a_seed_gives_the_same_texts_again(client):
    asked = {"temperature": 1.5, "n": 4, "max_tokens": 8}
    first = complete(client, "stories", "the king", seed=7, **asked)
    texts = [choice.text for choice in first.choices]
    assert len(set(texts)) == 4
    again = complete(client, "stories", "the king", seed=7, **asked)
    assert [choice.text for choice in again.choices] == texts
    other = complete(client, "stories", "the king", seed=700, **asked)
    assert [choice.text for choice in other.choices] != texts
    narrow = complete(client, "stories", "the king", top_p=1e-9, **asked)
    greedy = complete(client, "stories", "the king", max_tokens=8).choices[0].text
    assert {choice.text for choice in narrow.choices} == {greedy}
