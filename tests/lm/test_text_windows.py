import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from faast.lm.documents import text_windows

WORDS = {"<end>": 0, "a": 1, "b": 2, "c": 3}


@pytest.fixture
def tokenizer():
    words = Tokenizer(models.WordLevel(WORDS, unk_token="<end>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>")


def test_documents_follow_each_other_with_an_end_token_between(tokenizer):
    assert text_windows(tokenizer, ["a b c", "b a"], 3).tolist() == [[1, 2, 3], [0, 2, 1]]


def test_a_tokenizer_without_an_end_token_joins_documents(tokenizer):
    tokenizer.eos_token = None
    assert text_windows(tokenizer, ["a b c", "b a"], 5).tolist() == [[1, 2, 3, 2, 1]]


def test_what_does_not_fill_a_window_is_refused(tokenizer):
    with pytest.raises(ValueError, match="3 tokens, less than one window of 4"):
        text_windows(tokenizer, ["a b"], 4)
    with pytest.raises(ValueError, match="at least two tokens"):
        text_windows(tokenizer, ["a b"], 1)
