"""Kept features: learned bits come back, damage is noticed."""

import numpy as np
import pytest

from faast import Moments
from faast.encoders import CachedEncoder, FeatureCacheError, RowsNotLearnedError, load_encoder

TEXTS = [f"where is my {word} ?" for word in ["card", "cat", "dog", "photo", "lost", "the"]]


@pytest.fixture
def encoder(bert):
    return load_encoder(f"hf:{bert}", device="cpu")


def test_rows_are_encoded_once_and_read_by_another_process_alike(encoder, tmp_path):
    first = CachedEncoder(encoder, tmp_path)
    features = first.encode(TEXTS)
    np.testing.assert_array_equal(features, encoder.encode(TEXTS))
    again = CachedEncoder(encoder, tmp_path)
    assert len(again) == len(TEXTS)
    np.testing.assert_array_equal(again.encode(TEXTS[::-1]), features[::-1])
    assert len(list(again.folder.iterdir())) == 1
    assert again.settings == encoder.settings
    assert again.n_features == encoder.n_features


def test_class_names_are_embedded_as_without_a_cache(encoder, tmp_path):
    named = CachedEncoder(encoder, tmp_path).encode_labels(["lost_card"])
    np.testing.assert_array_equal(named, encoder.encode_labels(["lost_card"]))


def test_a_row_keeps_its_first_features(encoder, tmp_path):
    cached = CachedEncoder(encoder, tmp_path)
    alone = cached.encode(TEXTS[:1])
    together = cached.encode([*TEXTS, TEXTS[0]])
    np.testing.assert_array_equal(together[[0, -1]], np.repeat(alone, 2, axis=0))
    np.testing.assert_array_equal(CachedEncoder(encoder, tmp_path).recall(TEXTS[:1]), alone)


def test_forgetting_by_raw_row_leaves_nothing(encoder, tmp_path):
    labels = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    cached = CachedEncoder(encoder, tmp_path)
    moments = Moments(cached.n_features, 3)
    moments.add(cached.encode(TEXTS[:3]), labels[:3])
    never_seen = moments.gram.copy()
    moments.add(cached.encode(TEXTS[3:]), labels[3:])
    later = CachedEncoder(encoder, tmp_path)
    moments.subtract(later.recall(TEXTS[:2:-1]), labels[:2:-1])
    np.testing.assert_array_equal(moments.gram, never_seen)


def test_rows_never_learned_are_named(encoder, tmp_path):
    cached = CachedEncoder(encoder, tmp_path)
    cached.encode(TEXTS)
    with pytest.raises(RowsNotLearnedError, match=r"row 1 is not among the 6 rows stored in"):
        cached.recall([TEXTS[0], "where is my Card ?"])


def test_encoders_do_not_share_features(encoder, bert, tmp_path):
    CachedEncoder(encoder, tmp_path).encode(TEXTS)
    other = CachedEncoder(load_encoder(f"hf:{bert}", device="cpu", pooling="cls"), tmp_path)
    assert len(other) == 0


def test_images_are_known_by_the_content_of_their_file(tmp_path, images, dinov2):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "b").mkdir()
    image.fromarray(images[0]).save(tmp_path / "a.png")
    cached = CachedEncoder(load_encoder(f"hf:{dinov2}", device="cpu"), tmp_path / "cache")
    features = cached.encode([tmp_path / "a.png", images[1]])
    (tmp_path / "a.png").rename(tmp_path / "b" / "c.png")
    np.testing.assert_array_equal(cached.recall([str(tmp_path / "b" / "c.png")]), features[:1])
    content = (tmp_path / "b" / "c.png").read_bytes()
    np.testing.assert_array_equal(cached.recall([content]), features[:1])
    np.testing.assert_array_equal(cached.recall([images[1]]), features[1:])
    image.fromarray(images[2]).save(tmp_path / "b" / "c.png")
    with pytest.raises(RowsNotLearnedError):
        cached.recall([tmp_path / "b" / "c.png"])
    with pytest.raises(ValueError, match=r"row 0: cannot read the image"):
        cached.recall([tmp_path / "gone.png"])


def test_images_in_memory_are_known_by_their_colours(tmp_path, images, dinov2):
    image = pytest.importorskip("PIL.Image")
    cached = CachedEncoder(load_encoder(f"hf:{dinov2}", device="cpu"), tmp_path)
    features = cached.encode(images[:1])
    np.testing.assert_array_equal(cached.recall([image.fromarray(images[0])]), features)
    indexed = image.new("P", (8, 8))
    indexed.putpalette([0, 0, 255])
    other = indexed.copy()
    other.putpalette([255, 0, 0])
    cached.encode([indexed])
    with pytest.raises(RowsNotLearnedError):
        cached.recall([other])


def test_errors_name_the_callers_row(encoder, tmp_path):
    cached = CachedEncoder(encoder, tmp_path)
    cached.encode(TEXTS)
    with pytest.raises(TypeError, match=r"row 6 must be a string, got int"):
        cached.encode([*TEXTS, 5])
    assert len(CachedEncoder(encoder, tmp_path)) == len(TEXTS)


@pytest.mark.parametrize("damage", ["truncated", "changed", "foreign"])
def test_damaged_files_are_refused(encoder, tmp_path, damage):
    cached = CachedEncoder(encoder, tmp_path)
    cached.encode(TEXTS)
    (path,) = cached.folder.iterdir()
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[:-1]
    elif damage == "changed":
        content[-1] ^= 1
    else:
        content = bytearray(b"foreign")
    path.write_bytes(content)
    with pytest.raises(FeatureCacheError, match=r"delete it to have its rows encoded again"):
        CachedEncoder(encoder, tmp_path)


def test_reproducible_encoders_need_no_file(tmp_path):
    cached = CachedEncoder(load_encoder("hashing"), tmp_path)
    assert cached.reproducible
    np.testing.assert_array_equal(cached.recall(TEXTS), cached.encode(TEXTS))
