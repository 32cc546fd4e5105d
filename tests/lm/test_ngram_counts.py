import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faast.lm import ngram_counts
from faast.lm.exceptions import ForgettingError
from faast.lm.ngram_counts import NgramCounts
from faast.lm.ngrams import LONGEST_CONTEXT, NO_CONTEXT, document_ngrams, hash_contexts, join

TEXTS = st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=12), min_size=1, max_size=8)


def ngrams_of(text):
    found = document_ngrams(np.array(text), np.ones(len(text), dtype=bool))
    return found[found != NO_CONTEXT]


def learn_all(texts, counts=None):
    counts = NgramCounts.empty() if counts is None else counts
    for text in texts:
        counts = counts.learn(ngrams_of(text))
    return counts


def same(one, other):
    return (
        torch.equal(one.ngrams, other.ngrams)
        and torch.equal(one.counts, other.counts)
        and one.threshold == other.threshold
    )


def test_equal_tokens_have_equal_contexts_wherever_they_stand():
    contexts = hash_contexts(np.array([[5, 7, 9, 2], [1, 5, 7, 9]]))
    assert (contexts[0, 2, :4] == contexts[1, 3, :4]).all()
    assert contexts[0, 2, 4] == NO_CONTEXT
    assert len(np.unique(contexts[1, 3])) == 6
    swapped = hash_contexts(np.array([[7, 5]]))
    assert swapped[0, 1, 2] != contexts[0, 1, 2]


def test_counts_are_those_of_a_dictionary():
    rng = np.random.default_rng(0)
    texts = rng.integers(0, 5, (6, 30))
    counts = learn_all(texts)
    expected = {}
    for text in texts.tolist():
        for end in range(1, 30):
            for order in range(min(LONGEST_CONTEXT, end) + 1):
                after = expected.setdefault(tuple(text[end - order : end]), {})
                after[text[end]] = after.get(text[end], 0) + 1
    for context, after in expected.items():
        asked = hash_contexts(np.array([[0, *context]]))[0, -1, len(context)]
        (place,) = counts.find(np.array([asked]))
        assert counts.contexts.total[place] == sum(after.values())
        assert counts.contexts.distinct[place] == len(after)
        times = counts.count(np.full(5, asked), np.arange(5))
        assert times.tolist() == [after.get(token, 0) for token in range(5)]


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.randoms(use_true_random=False), st.sampled_from([2**20, 20]))
def test_any_order_batching_and_merge_gives_the_same_bits(texts, random, capacity):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngram_counts, "MAX_NGRAMS", capacity)
        expected = learn_all(texts)
        shuffled = random.sample(texts, len(texts))
        assert same(learn_all(shuffled), expected)
        at_once = np.concatenate([ngrams_of(text) for text in shuffled])
        assert same(NgramCounts.empty().learn(at_once), expected)
        cut = random.randint(0, len(texts))
        halves = learn_all(shuffled[:cut]), learn_all(shuffled[cut:])
        assert same(halves[0].merge(halves[1]), expected)
        assert same(halves[1].merge(halves[0]), expected)
        assert len(expected.ngrams) <= capacity


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
def test_what_is_forgotten_was_never_there(texts, others):
    counts = learn_all(others, learn_all(texts))
    for text in others:
        counts = counts.forget(ngrams_of(text))
    assert same(counts, learn_all(texts))


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
def test_where_room_is_short_what_is_left_is_exact(texts, others):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngram_counts, "MAX_NGRAMS", 20)
        counts = learn_all(others, learn_all(texts))
        for text in others:
            counts = counts.forget(ngrams_of(text))
        patch.setattr(ngram_counts, "MAX_NGRAMS", 2**20)
        everything = learn_all(texts)
        below = everything.ngrams >> 20 < counts.threshold
        assert torch.equal(counts.ngrams, everything.ngrams[below])
        assert torch.equal(counts.counts, everything.counts[below])


def test_what_was_not_learned_so_often_is_not_forgotten():
    counts = learn_all([[1, 2, 3]])
    with pytest.raises(ForgettingError, match="not so often"):
        counts.forget(ngrams_of([1, 2, 3, 1]))
    with pytest.raises(ForgettingError):
        counts.forget(np.repeat(ngrams_of([1, 2, 3]), 2))


def test_nothing_follows_an_unknown_context():
    for counts in (NgramCounts.empty(), learn_all([[1, 2, 3]])):
        places = counts.find(np.array([[NO_CONTEXT, 12345]]))
        assert not counts.contexts.total[places].any()
        assert not counts.contexts.distinct[places].any()
        assert not counts.count(np.array([NO_CONTEXT, 12345]), np.array([0, 0])).any()


def test_noise_fills_the_table_and_no_more():
    rng = np.random.default_rng(0)
    counts = NgramCounts.empty()
    for _ in range(16):
        noise = rng.integers(0, 2**18, 65_536)  # 16 times: 2**20 tokens
        counts = counts.learn(ngrams_of(noise))
    assert counts.nbytes <= 16 * ngram_counts.MAX_NGRAMS
    assert len(counts.ngrams) > 0.99 * ngram_counts.MAX_NGRAMS
    last = hash_contexts(noise[None])[0, :-1]
    known = last < counts.threshold
    times = counts.count(last, noise[1:, None])
    assert (times[known & (last != NO_CONTEXT)] > 0).all()
    assert not times[~known].any()


def test_the_largest_token_is_kept_apart_from_the_next_context():
    context = np.array([[41]])
    counts = NgramCounts.empty().learn(join(context, np.array([[2**20 - 1]])).ravel())
    near = counts.find(context + np.arange(-1, 2))
    assert counts.contexts.total[near].tolist() == [[0, 1, 0]]


def test_a_token_without_the_empty_context_is_refused():
    counts = learn_all([[1, 2, 3]])
    counts.validate(NgramCounts.empty())
    for place in range(2):  # the n-grams of the empty context come first
        kept = torch.arange(len(counts.ngrams)) != place
        forged = NgramCounts(counts.ngrams[kept], counts.counts[kept])
        with pytest.raises(ValueError, match="must have followed the empty one"):
            forged.validate(NgramCounts.empty())
