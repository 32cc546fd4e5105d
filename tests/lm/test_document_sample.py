import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faast.lm import document_sample
from faast.lm.batch import Document
from faast.lm.document_sample import DocumentSample
from faast.lm.exceptions import ForgettingError

TEXTS = st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=4), max_size=12)


def documents(texts):
    return [Document(torch.tensor(text), torch.ones(len(text), dtype=bool)) for text in texts]


def contents(sample):
    held = [(one.document.tokens.tolist(), one.copies) for one in sample]
    return held, sample.hashes.tolist(), sample.threshold


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.randoms(use_true_random=False))
def test_any_order_and_merge_gives_the_same_sample(texts, random):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document_sample, "MAX_DOCUMENTS", 4)
        expected = contents(DocumentSample.empty().learn(documents(texts)))
        shuffled = documents(random.sample(texts, len(texts)))
        cut = random.randint(0, len(texts))
        one = DocumentSample.empty().learn(shuffled[:cut])
        other = DocumentSample.empty().learn(shuffled[cut:])
        assert contents(one.learn(shuffled[cut:])) == expected
        assert contents(one.merge(other)) == expected
        assert contents(other.merge(one)) == expected


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS)
def test_what_is_forgotten_was_never_there(texts, others):
    before = DocumentSample.empty().learn(documents(texts))
    after = before.learn(documents(others)).forget(documents(others))
    assert contents(after) == contents(before)


def test_what_was_not_learned_is_not_forgotten():
    sample = DocumentSample.empty().learn(documents([[1, 2]]))
    with pytest.raises(ForgettingError, match="has not learned all"):
        sample.forget(documents([[2, 1]]))
    with pytest.raises(ForgettingError, match="not so often"):
        sample.forget(documents([[1, 2], [1, 2]]))


def test_little_is_drawn_and_in_whole_documents():
    sample = DocumentSample.empty().learn(documents([[number] * 10 for number in range(20)]))
    drawn = sample.draw(200)
    assert [len(one.document.tokens) for one in drawn] == [10] * 4
    assert not sample.draw(49)


def test_long_documents_are_sampled_in_pieces(monkeypatch):
    monkeypatch.setattr(document_sample, "PIECE_TOKENS", 8)
    long = documents([list(range(20))])
    sample = DocumentSample.empty().learn(long)
    assert sorted(sample.lengths.tolist()) == [4, 8, 8]
    assert not len(sample.forget(long).hashes)
