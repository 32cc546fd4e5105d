"""Texts, prompts and chats as documents; batches of one document per row, or of several."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.documents import (
    Document,
    answer_document,
    chat_document,
    pack_documents,
    pad_documents,
    split_document,
    text_document,
    text_windows,
)
from faast.lm.exceptions import UnsupportedModelError
from tests.lm.models import tiny, word_tokenizer

EXACT = MemoryConfig("pseudoinverse", middle_layers=1, alpha=0.5, interpolation=0.5)
PLAIN = (
    "{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }} </s> {% endfor %}"
    "{% if add_generation_prompt %}<assistant> {% endif %}"
)
MARKED = (
    "{% for m in messages %}<{{ m['role'] }}> {% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }} </s>{% endgeneration %}"
    "{% else %}{{ m['content'] }} </s>{% endif %} {% endfor %}"
)
CHAT = [
    {"role": "user", "content": "what is good"},
    {"role": "assistant", "content": "the film"},
    {"role": "user", "content": "and bad"},
    {"role": "assistant", "content": "the end of it"},
]


@pytest.fixture
def tokenizer():
    return word_tokenizer("what is good the film and bad end of it <user> <assistant> review : a b")


def answered(tokenizer, document):
    return tokenizer.decode(document.tokens[document.answers])


def cut(tokens, *ends):
    """Documents of which everything is learned, one after the other."""
    parts = torch.tensor_split(tokens, list(ends))
    return [Document(part, torch.ones_like(part, dtype=torch.bool)) for part in parts]


def test_a_text_is_learned_whole_and_ends(tokenizer):
    document = text_document(tokenizer, "the film is good")
    assert answered(tokenizer, document) == "the film is good </s>"


def test_only_the_answer_is_learned_after_a_prompt(tokenizer):
    document = answer_document(tokenizer, "review : the film", " good")
    assert tokenizer.decode(document.tokens) == "review : the film good </s>"
    assert answered(tokenizer, document) == "good </s>"


@pytest.mark.parametrize("template", [PLAIN, MARKED], ids=["plain", "marked"])
def test_only_the_assistants_turns_of_a_chat_are_learned(tokenizer, template):
    tokenizer.chat_template = template
    document = chat_document(tokenizer, CHAT)
    assert answered(tokenizer, document) == "the film </s> the end of it </s>"
    assert len(document.tokens) == 19


@pytest.mark.parametrize(
    ("template", "messages", "message"),
    [
        (None, CHAT, "no chat template"),
        (PLAIN, CHAT[:1], "no message of the role"),
        (PLAIN, None, "must be a list of messages"),
        (PLAIN, "hello", "must be a list of messages"),
        (PLAIN, ["hello"], "must be a list of messages"),
        ("{{ messages[-1]['content'] }} a", CHAT, "mark the assistant's turns"),
        ("{{ raise_exception('roles must alternate') }}", CHAT, "roles must alternate"),
    ],
)
def test_chats_that_cannot_be_read_say_why(tokenizer, template, messages, message):
    tokenizer.chat_template = template
    with pytest.raises(ValueError, match=message):
        chat_document(tokenizer, messages)


def test_windows_keep_the_answer_with_the_context_that_fits():
    tokens, answers = torch.arange(10), torch.arange(10) >= 8
    (last,) = split_document(Document(tokens, answers), 4)
    assert last.tokens.tolist() == [6, 7, 8, 9]
    assert [len(part.tokens) for part in split_document(Document(tokens, tokens >= 0), 4)] == [
        2,
        4,
        4,
    ]


def test_sizes_that_make_no_batch_are_refused(tokens):
    documents = cut(tokens[0], 8)
    for make in (
        lambda: pad_documents(documents, 0),
        lambda: pack_documents(documents, 8, -1),
    ):
        with pytest.raises(ValueError, match="a batch needs at least one row"):
            next(iter(make()))
    for make in (
        lambda: pack_documents(documents, 1, 2),
        lambda: [split_document(documents[0], 0)],
    ):
        with pytest.raises(ValueError, match="a window needs at least two tokens"):
            next(iter(make()))


def test_rows_hold_as_many_documents_as_fit(tokens):
    (batch,) = pack_documents(cut(tokens[0], 8, 14, 17), 16, batch_size=4)
    assert batch.input_ids.shape == (2, 14)
    assert batch.document_ids.tolist() == [[1] * 8 + [2] * 6, [1] * 3 + [2] * 3 + [0] * 8]
    assert torch.equal(batch.attention_mask, batch.document_ids > 0)
    assert batch.n_tokens == 20


@torch.no_grad()
@pytest.mark.parametrize("config", [MemoryConfig(), EXACT], ids=["natural", "exact"])
def test_packed_documents_teach_what_they_teach_apart(llama, tokens, config):
    documents = cut(tokens.flatten(), 15, 40, 71, 100, 160, 171, 230)
    logits = []
    for batches in (pad_documents(documents, 3), pack_documents(documents, 64, 2)):
        model = FaastForCausalLM.from_base(llama, config)
        for batch in batches:
            model.learn(**batch._asdict())
        assert model.memory_size == tokens.numel() - len(documents)
        logits.append(model(tokens).logits)
        model.detach()
    torch.testing.assert_close(*logits, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("mamba", {"state_size": 4}),
        ("falcon", {"max_position_embeddings": 64, "alibi": True}),
    ],
)
def test_models_that_cannot_keep_documents_apart_say_so(tokens, kind, sizes):
    model = FaastForCausalLM.from_base(tiny(kind, **sizes))
    (batch,) = pack_documents(cut(tokens[0], 9), 20, 1)
    with pytest.raises(UnsupportedModelError, match="a row of its own"):
        model.learn(**batch._asdict())
    assert model.memory_size == 0


@pytest.fixture
def letters():
    words = Tokenizer(models.WordLevel({"<end>": 0, "a": 1, "b": 2, "c": 3}, unk_token="<end>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>")


def test_texts_follow_each_other_with_an_end_token_between(letters):
    assert text_windows(letters, ["a b c", "b a"], 3).tolist() == [[1, 2, 3], [0, 2, 1]]


def test_a_tokenizer_without_an_end_token_joins_texts(letters):
    letters.eos_token = None
    assert text_windows(letters, ["a b c", "b a"], 5).tolist() == [[1, 2, 3, 2, 1]]


def test_what_does_not_fill_a_window_is_refused(letters):
    with pytest.raises(ValueError, match="3 tokens, less than one window of 4"):
        text_windows(letters, ["a b"], 4)
    with pytest.raises(ValueError, match="at least two tokens"):
        text_windows(letters, ["a b"], 1)
