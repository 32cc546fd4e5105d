"""Encoders in copies of estimators, in pickles and in worker processes."""

import copy
import pickle
import shutil

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import FunctionTransformer

from faast import FaastClassifier, TextClassifier
from faast.encoders import CachedEncoder, EncoderMismatchError, load_encoder

TEXTS = ["where is my card ?", "lost", "the cat is a dog .", "a photo of my lost card"]


def encoders(bert, clip, folder):
    """One encoder of each way of pickling."""
    return [
        load_encoder("hashing", n_features=16),
        load_encoder("pixels"),
        load_encoder(f"hf:{bert}", device="cpu", pooling="cls", prompt="a {label}"),
        load_encoder(f"clip:{clip}", device="cpu", dtype="bfloat16"),
        CachedEncoder(load_encoder(f"hf:{bert}", device="cpu"), folder),
    ]


def test_a_copy_is_the_encoder_itself(bert, clip, tmp_path):
    for encoder in encoders(bert, clip, tmp_path):
        assert copy.copy(encoder) is encoder
        assert copy.deepcopy({"encoder": encoder})["encoder"] is encoder
        assert clone(encoder) is encoder
        assert clone(FaastClassifier(encoder=encoder)).encoder is encoder
        assert clone(FunctionTransformer(encoder.encode)).func.__self__ is encoder


def test_encoders_are_shown_by_name(bert, tmp_path):
    assert repr(load_encoder("hashing", n_features=16)) == "HashingEncoder('hashing')"
    model = load_encoder(f"hf:{bert}", device="cpu")
    assert repr(model) == f"TextModelEncoder('hf:{bert}')"
    assert repr(CachedEncoder(model, tmp_path)) == f"CachedEncoder({model!r}, {str(tmp_path)!r})"


def test_a_pickle_holds_no_weights_and_restores_the_encoder(bert, clip, images, tmp_path):
    for encoder in encoders(bert, clip, tmp_path):
        rows = TEXTS if encoder.modality == "text" else images
        features = encoder.encode(rows)
        pickled = pickle.dumps(encoder)
        assert len(pickled) < 1000
        again = pickle.loads(pickled)
        assert type(again) is type(encoder)
        assert (again.fingerprint, again.settings) == (encoder.fingerprint, encoder.settings)
        np.testing.assert_array_equal(again.encode(rows), features)


def test_an_encoder_is_unpickled_once(bert):
    pickled = pickle.dumps(load_encoder(f"hf:{bert}", device="cpu"))
    assert pickle.loads(pickled) is pickle.loads(pickled)


def test_a_pickled_cache_is_opened_again(bert, tmp_path):
    cached = CachedEncoder(load_encoder(f"hf:{bert}", device="cpu"), tmp_path)
    features = cached.encode(TEXTS)
    again = pickle.loads(pickle.dumps(cached))
    assert len(again) == len(TEXTS)
    np.testing.assert_array_equal(again.recall(TEXTS), features)


def test_a_pickle_keeps_the_requested_device_and_consent(bert):
    chosen = load_encoder(f"hf:{bert}", device="cpu", trust_remote_code=True)
    _, arguments = chosen.__reduce__()
    assert dict(arguments)["device"] == "cpu"
    assert dict(arguments)["trust_remote_code"] is True
    # without a requested device, the process that unpickles picks its own
    _, arguments = load_encoder(f"hf:{bert}").__reduce__()
    assert dict(arguments)["device"] is None
    assert dict(arguments)["trust_remote_code"] is False


def test_a_checkpoint_that_changed_since_is_refused(torch, bert, tokenizer, tmp_path):
    from transformers import AutoModel

    shutil.copytree(bert, tmp_path / "model")
    pickled = pickle.dumps(load_encoder(f"hf:{tmp_path / 'model'}", device="cpu"))
    model = AutoModel.from_pretrained(bert)
    with torch.no_grad():
        model.get_parameter("embeddings.word_embeddings.weight")[5, 5] += 1e-3
    model.save_pretrained(tmp_path / "model")
    with pytest.raises(EncoderMismatchError, match=r"its weights, tokens or settings differ"):
        pickle.loads(pickled)


def test_encoders_work_in_the_processes_of_a_cross_validation():
    texts = ["where is my card ?", "my lost card", "the cat", "a dog ."] * 5
    labels = ["card", "card", "pet", "pet"] * 5
    model = TextClassifier(load_encoder("hashing"))
    scores = cross_val_score(model, texts, labels, cv=2, n_jobs=2)
    np.testing.assert_array_equal(scores, cross_val_score(model, texts, labels, cv=2))
