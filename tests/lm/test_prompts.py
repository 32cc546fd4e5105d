"""A prompt that is asked has the tokens that it was learned with, whatever its tokenizer joins."""

import pytest
from tokenizers import Regex, Tokenizer, decoders
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from faast.evaluation.lm.classification import answer_probabilities
from faast.lm.documents import answer_document
from faast.lm.prompts import answer_tokens, prompt_tokens
from tests.lm.models import tiny, word_tokenizer

PIECES = ["<s>", "Where ", "is ", "Ann?", "Ann? ", " ", "In ", "town", "Here", "out"]


@pytest.fixture
def joining():
    """A tokenizer that joins a space to the word before it."""
    model = Tokenizer(WordLevel({piece: i for i, piece in enumerate(PIECES)}, unk_token="<s>"))
    model.pre_tokenizer = Split(Regex(r"\S+ ?| "), behavior="isolated")
    model.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=model, bos_token="<s>", eos_token="<s>")


@pytest.mark.parametrize(
    ("prompt", "answer"), [("Where is Ann?", " In town"), ("Where is Ann? ", "In town")]
)
def test_an_answer_follows_the_tokens_of_the_prompt_alone(joining, prompt, answer):
    alone = prompt_tokens(joining, prompt)
    tokens, start = answer_tokens(joining, prompt, answer)
    assert (tokens[:start], start) == (alone, len(alone))
    assert "".join(PIECES[token] for token in tokens) == prompt + answer
    document = answer_document(joining, prompt, answer)
    assert document.tokens.tolist()[:-1] == tokens
    assert document.answers.tolist() == [i >= start for i in range(len(document.tokens))]


def test_an_end_that_somebody_wrote_stays():
    tokenizer = word_tokenizer("the king")
    assert prompt_tokens(tokenizer, "the king </s>") == tokenizer("the king </s>").input_ids
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", tokenizer.eos_token_id)]
    )
    (*own, end) = tokenizer("the king </s>").input_ids
    assert end == tokenizer.eos_token_id
    assert prompt_tokens(tokenizer, "the king </s>") == own


def test_answers_are_compared_where_they_were_learned(joining):
    shares = answer_probabilities(tiny("llama"), joining, ["Where is Ann?"], [" Here", " out"])
    assert shares.shape == (1, 2)
    assert shares.sum() == pytest.approx(1.0)
