"""The text encoder without weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faast.encoders import load_encoder
from faast.encoders.hashing import PrefixHash

encoder = load_encoder("hashing")


def test_first_features_never_change():
    """A change here breaks every saved model: raise VERSION with it."""
    features = encoder.encode(["Where is my card?", "Où est ma carte ?"])
    assert encoder.fingerprint == "0020612da9df888072108d9c5b7628ce"
    filled = np.flatnonzero(features[0])
    assert filled[:6].tolist() == [64, 72, 135, 168, 219, 245]
    np.testing.assert_array_equal(np.sign(features[0, filled[:6]]), [1, 1, 1, -1, 1, -1])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(), min_size=1, max_size=8))
def test_rows_have_norm_one_and_do_not_depend_on_their_batch(texts):
    features = encoder.encode(texts)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-6)
    for text, row in zip(texts, features, strict=True):
        np.testing.assert_array_equal(encoder.encode([text])[0], row)


def test_case_spaces_and_compatible_characters_do_not_matter():
    same = encoder.encode(["Straße nº 1", "  STRASSE\t\nno 1 "])
    np.testing.assert_array_equal(same[0], same[1])


def test_related_texts_are_near():
    lost, misplaced, weather = encoder.encode(
        ["I lost my card", "my card was lost", "sunny with some clouds"]
    )
    assert lost @ misplaced > 0.5
    assert abs(lost @ weather) < 0.2


def test_word_order_and_word_borders_matter():
    rows = encoder.encode(["dog bites man", "man bites dog", "dogbites man"])
    assert np.unique(rows.round(5), axis=0).shape[0] == 3


def test_labels_are_near_their_texts():
    named = encoder.encode_labels(["card_arrival", "exchange_rate"])
    text = encoder.encode(["has my card arrived? the arrival is late"])[0]
    assert named[0] @ text > named[1] @ text


def test_long_rows_are_hashed_like_short_ones():
    texts = ["short", "many words " * 40_000, "other " * 60_000, *["short"] * 300]
    features = encoder.encode(texts)
    np.testing.assert_array_equal(features[1], encoder.encode(texts[1:2])[0])
    np.testing.assert_array_equal(features[3:], np.repeat(features[:1], 300, axis=0))


def test_width():
    narrow = load_encoder("hashing", n_features=16)
    assert narrow.encode(["some words"]).shape == (1, 16)
    assert narrow.fingerprint != encoder.fingerprint
    assert encoder.encode([]).shape == (0, 2048)
    with pytest.raises(ValueError, match=r"n_features must be at least 1"):
        load_encoder("hashing", n_features=0)


def test_rows_that_are_no_text():
    with pytest.raises(TypeError, match=r"row 1300 must be a string, got NoneType"):
        encoder.encode(["text"] * 1300 + [None])


def test_learned_rows_are_recalled_without_a_cache():
    np.testing.assert_array_equal(encoder.recall(["my card"]), encoder.encode(["my card"]))


def test_prefix_hashes_of_equal_spans_are_equal():
    codes = np.frombuffer(b"abracadabra abra", np.uint8).astype(np.uint32)
    hashes = PrefixHash(codes).spans(np.array([0, 7, 12, 1]), np.array([4, 11, 16, 5]))
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]


def test_projection_keeps_inner_products():
    """Signed hashing is unbiased: texts without a common n-gram are orthogonal on average."""
    random = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    texts = [" ".join("".join(random.choice(letters, 7)) for _ in range(6)) for _ in range(400)]
    features = encoder.encode(texts)
    overlaps = (features @ features.T)[~np.eye(400, dtype=bool)]
    assert abs(overlaps.mean()) < 0.01
    assert overlaps.std() < 2 / np.sqrt(2048)
