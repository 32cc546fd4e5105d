"""Texts as they are written, chats, and the probabilities that evaluation harnesses read."""

import math

import openai
import pytest
import torch

from tests.serve.memories.conftest import CHAT, KING, TALK
from tests.serve.memories.test_completions import complete


@pytest.fixture
def talking(client, backbone):
    """Return a client of a model that was made for chats."""
    backbone.tokenizer.chat_template = CHAT
    yield client
    backbone.tokenizer.chat_template = None


def test_a_stream_is_the_whole_text_piece_by_piece(client):
    whole = complete(client, "king", KING[:11], max_tokens=11)
    pieces = list(complete(client, "king", KING[:11], max_tokens=11, stream=True))
    assert "".join(piece.choices[0].text for piece in pieces) == whole.choices[0].text
    assert len(pieces) == 11
    assert [piece.choices[0].finish_reason for piece in pieces] == [*[None] * 10, "length"]
    assert len({piece.id for piece in pieces}) == 1


def test_a_stream_ends_with_the_usage_where_it_is_asked_for_and_with_done(http, client):
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *_, last = complete(client, "king", KING[:11], max_tokens=5, **options)
    assert last.choices == []
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (3, 5)
    body = {"model": "king", "prompt": "the", "max_tokens": 3, "stream": True}
    answer = http.post("/v1/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.endswith("\n\ndata: [DONE]\n\n")


def test_a_stop_text_over_several_pieces_is_never_sent(client):
    asked = {"max_tokens": 20, "stop": "queen saw", "stream": True}
    pieces = list(complete(client, "king", KING[:11], **asked))
    assert "".join(piece.choices[0].text for piece in pieces) == KING[11 : KING.index("queen saw")]
    assert pieces[-1].choices[0].finish_reason == "stop"


def test_several_texts_in_one_stream(client):
    asked = {"temperature": 1.0, "seed": 3, "n": 3}
    whole = [choice.text for choice in complete(client, "king", "the", **asked).choices]
    texts = ["", "", ""]
    for piece in complete(client, "king", "the", stream=True, **asked):
        texts[piece.choices[0].index] += piece.choices[0].text
    assert texts == whole


def test_the_probabilities_of_a_prompt_are_those_of_the_model(client, backbone):
    asked = {"max_tokens": 1, "echo": True, "logprobs": 2}
    choice = complete(client, "stories", KING, **asked).choices[0]
    tokens = torch.tensor([backbone.prompt(KING)])
    with torch.no_grad():
        log_p = backbone.model(input_ids=tokens).logits[0].log_softmax(dim=-1)
    expected = log_p[:-1].gather(1, tokens[0, 1:, None])[:, 0].tolist()
    assert choice.text.startswith(KING)
    found = choice.logprobs
    assert found.token_logprobs[0] is None
    assert found.token_logprobs[1:-1] == pytest.approx(expected, abs=1e-4)
    assert found.tokens[:-1] == KING.split()
    greedy = [max(top, key=top.get) for top in found.top_logprobs[1:]]
    assert greedy == [backbone.tokenizer.decode([at]) for at in log_p.argmax(dim=-1).tolist()]
    assert found.token_logprobs[-1] == max(found.top_logprobs[-1].values())


@pytest.mark.parametrize("echo", [False, True])
def test_tokens_are_told_where_they_begin_in_the_text(client, echo):
    asked = {"max_tokens": 8, "echo": echo, "logprobs": 1}
    choice = complete(client, "king", KING[:11], **asked).choices[0]
    found = choice.logprobs
    for token, start in zip(found.tokens, found.text_offset, strict=True):
        assert choice.text[start:].startswith(token)
    assert found.text_offset[:3] == ([0, 4, 9] if echo else [1, 6, 10])
    pieces = [
        piece.choices[0].logprobs
        for piece in complete(client, "king", KING[:11], stream=True, **asked)
    ]
    assert [start for piece in pieces for start in piece.text_offset] == found.text_offset


def test_values_of_a_chat_that_change_nothing_are_accepted(talking):
    asked = {
        "model": "king",
        "messages": [{"role": "user", "content": "the king"}],
        "temperature": 0,
        "max_tokens": 4,
    }
    plain = talking.chat.completions.create(**asked).choices[0].message.content
    neutral = {"logprobs": False, "top_logprobs": 0, "function_call": "none", "functions": []}
    for call in ("none", "auto"):
        answer = talking.chat.completions.create(**asked, **neutral | {"function_call": call})
        assert answer.choices[0].message.content == plain


def test_a_memory_finds_its_text_more_probable_than_the_backbone_does(client):
    sums = {}
    for model in ("stories", "king", "queen"):
        choice = complete(client, model, KING, max_tokens=0, echo=True, logprobs=0).choices[0]
        assert choice.text == KING
        assert choice.finish_reason == "length"
        sums[model] = math.fsum(choice.logprobs.token_logprobs[1:])
    assert sums["king"] > sums["queen"] > sums["stories"]


def test_a_prompt_whose_probabilities_need_too_much_memory_is_refused(client, monkeypatch):
    monkeypatch.setattr("faast.serve.memories.backbone.MAX_LOGITS", 97 * 12)
    complete(client, "king", "the " * 12, echo=True, logprobs=1)
    with pytest.raises(openai.BadRequestError, match="at most 12 tokens") as caught:
        complete(client, "king", "the " * 13, echo=True, logprobs=1)
    assert caught.value.param == "prompt"
    complete(client, "king", "the " * 13, echo=True)


@pytest.mark.parametrize(
    ("settings", "param", "said"),
    [
        ({"logprobs": True}, "logprobs", "'logprobs' is not supported"),
        ({"top_logprobs": 3}, "top_logprobs", "'top_logprobs' is not supported"),
        ({"max_tokens": 9, "max_completion_tokens": 3}, "max_tokens", "9 and max_completion_tok"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "without a stream"),
        ({"max_completion_tokens": 0}, "max_completion_tokens", "expected at least 1, got 0"),
        ({"stop": ["a"] * 5}, "stop", "expected at most 4 items, got 5"),
    ],
)
def test_no_parameter_of_a_chat_is_ignored(talking, settings, param, said):
    asked = {"model": "king", "messages": [{"role": "user", "content": "of york"}]}
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        talking.chat.completions.create(**asked, **settings)
    assert caught.value.param == param


def test_parameters_of_a_chat_are_honoured(talking):
    asked = {"model": "stories", "messages": [{"role": "user", "content": "of york"}]}

    def said(**settings):
        answer = talking.chat.completions.create(**asked, **settings)
        return [choice.message.content for choice in answer.choices], answer.usage

    hot = {"temperature": 1.5, "seed": 7, "n": 3}
    for name in ("max_tokens", "max_completion_tokens"):
        texts, usage = said(**hot, **{name: 5})
        assert len(texts) == 3
        assert len(set(texts)) > 1
        assert usage.completion_tokens <= 15
        assert said(**hot, **{name: 5})[0] == texts
        assert said(**hot | {"seed": 700}, **{name: 5})[0] != texts
    same = {"max_tokens": 5, "max_completion_tokens": 5}
    (cold,), _ = said(temperature=0, **same)
    assert said(top_p=1e-9, **same)[0] == [cold]
    long = max(texts, key=len)
    word = long.split()[1]
    stopped, _ = said(**hot, stop=word, **same)
    assert stopped[texts.index(long)] == long[: long.index(word)]


def test_a_chat_is_continued_after_its_template(talking, client):
    messages = [
        {"role": "system", "content": "the king"},
        {"role": "user", "content": [{"type": "text", "text": "of york"}]},
    ]
    asked = {"messages": messages, "temperature": 0, "max_completion_tokens": 5}
    answer = talking.chat.completions.create(model="king", **asked)
    prompt = f"{TALK} {KING[:11]}"
    text = complete(client, "king", prompt, max_tokens=5).choices[0].text
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == text
    assert answer.usage.prompt_tokens == len(prompt.split())
    stream = talking.chat.completions.create(model="king", stream=True, **asked)
    pieces = [piece.choices[0].delta.content or "" for piece in stream]
    assert "".join(pieces) == text == KING[11:31]
    assert pieces[0] == ""
    assert len(pieces) == 6


def test_a_model_without_a_template_takes_no_chats(client):
    with pytest.raises(openai.BadRequestError, match="no chat template") as caught:
        client.chat.completions.create(
            model="king", messages=[{"role": "user", "content": "the king"}]
        )
    assert caught.value.code == "no_chat_template"


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "the"}]}, "messages"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"function_call": {"name": "f"}}, "function_call"),
    ],
)
def test_what_a_chat_cannot_do_is_refused(talking, settings, param):
    settings = {"messages": [{"role": "user", "content": "the king"}]} | settings
    with pytest.raises(openai.BadRequestError) as caught:
        talking.chat.completions.create(model="king", **settings)
    assert caught.value.param == param
