"""Raw rows in, labels out: what a user of TextClassifier and ImageClassifier relies on."""

import json

import numpy as np
import pytest
import safetensors
import safetensors.numpy

import faast
from faast import FaastClassifier, ImageClassifier, ModelFileError, TextClassifier
from faast.core.persistence import content_hash
from faast.encoders import EncoderMismatchError, RowsNotLearnedError, load_encoder

TEXTS = [
    "my card is lost", "the card has not arrived", "where is my new card", "card stolen",
    "top up failed", "money was not added", "I cannot top up", "top up by transfer",
]  # fmt: skip
LABELS = ["card"] * 4 + ["top_up"] * 4
MORE, MORE_LABELS = ["cash from a machine", "how do I withdraw cash"], ["cash", "cash"]


def names_of(model):
    return set(model.learned_.embeddings.labels.tolist())


def fingerprint(model):
    state = model.to_state()
    return content_hash(state.tensors, state.metadata)


@pytest.fixture
def model():
    return TextClassifier().partial_fit(TEXTS, LABELS)


@pytest.fixture
def named(bert):
    """A float encoder that embeds class names."""
    encoder = load_encoder(f"hf:{bert}", device="cpu")
    return lambda **options: TextClassifier(encoder, class_names=True, **options)


def test_a_classifier_of_features_has_the_parameters_and_what_was_learned_so_far(model):
    unfitted = TextClassifier(novelty=True, selection_rows=9).on_features()
    assert (unfitted.novelty, unfitted.selection_rows) == (True, 9)
    assert not unfitted.is_fitted
    twin = model.on_features()
    assert (twin.modality, twin.encoder_name) == ("features", None)
    features = model.encode(TEXTS)
    expected = model.predict_proba(TEXTS)
    model.forget(TEXTS[:1], LABELS[:1])
    np.testing.assert_array_equal(twin.predict_proba(features), expected)


def test_it_learns_what_the_estimator_learns_from_the_features(model):
    features = load_encoder("hashing").encode(TEXTS)
    by_hand = FaastClassifier().fit(features, LABELS)
    asked = ["is my card lost?", "top up"]
    expected = by_hand.predict_proba(load_encoder("hashing").encode(asked))
    assert model.predict(asked).tolist() == ["card", "top_up"]
    np.testing.assert_array_equal(model.predict_proba(asked), expected)


def test_order_batches_merging_and_forgetting_leave_the_same_bits(model):
    backwards = TextClassifier()
    for text, label in zip(TEXTS[::-1], LABELS[::-1], strict=True):
        backwards.partial_fit([text], [label])
    halves = TextClassifier().partial_fit(TEXTS[:3], LABELS[:3])
    halves.merge(TextClassifier().partial_fit(TEXTS[3:], LABELS[3:]))
    more = TextClassifier().merge(model).partial_fit(MORE, MORE_LABELS)
    assert more.predict(["withdraw cash"])[0] == "cash"
    assert list(more.forget(MORE, MORE_LABELS).classes_) == ["card", "top_up"]
    assert {fingerprint(m) for m in (backwards, halves, more)} == {fingerprint(model)}


def test_class_names_leave_the_same_bits_too(named, tmp_path):
    once = named().partial_fit(TEXTS, LABELS)
    again = named(cache=tmp_path).partial_fit(TEXTS, LABELS)
    assert names_of(again) == {"card", "top_up"}
    again.partial_fit(MORE, MORE_LABELS).forget(MORE, MORE_LABELS)
    assert names_of(again) == {"card", "top_up"}
    assert fingerprint(again) == fingerprint(once)
    merged = named().partial_fit(TEXTS, LABELS).merge(named().partial_fit(MORE, MORE_LABELS))
    assert names_of(merged) == {"card", "cash", "top_up"}


def test_numbers_say_nothing_of_their_class(named):
    model = named().partial_fit(TEXTS, ["1" if label == "card" else "0" for label in LABELS])
    assert model.learned_.embeddings is None


def test_names_of_classes_speak_by_default_only_where_the_encoder_knows_meanings(clip, images):
    assert TextClassifier().fit(TEXTS, LABELS).learned_.embeddings is None
    assert ImageClassifier().fit(images[:2], ["cat", "dog"]).learned_.embeddings is None
    model = ImageClassifier(load_encoder(f"clip:{clip}", device="cpu"))
    model.partial_fit(images[:2], ["cat", "dog"])
    assert names_of(model) == {"cat", "dog"}


def test_declared_labels_answer_before_any_row_and_outlive_their_rows():
    model = TextClassifier(labels=["lost card", "top up"])
    assert model.predict(["my card is lost"])[0] == "lost card"
    assert model.explain("my card is lost").prior_share == 1.0
    model.partial_fit(["hello"], ["greeting"])
    assert list(model.classes_) == ["greeting", "lost card", "top up"]
    model.partial_fit(["my card"], ["lost card"])
    model.forget(["my card", "hello"], ["lost card", "greeting"])
    assert list(model.classes_) == ["lost card", "top up"]
    assert fingerprint(model.merge(TextClassifier())) == fingerprint(model)


def test_explaining_says_what_an_answer_is_made_of(model):
    found = model.explain("the card is stolen")
    assert found.label == "card" == next(iter(found.scores))
    assert sum(found.scores.values()) == pytest.approx(1.0)
    assert found.rows == {"card": 4.0, "top_up": 4.0}
    assert found.prior_share == 0.0
    assert found.novelty is None
    kept = TextClassifier(novelty=True)
    kept.partial_fit(TEXTS, LABELS)
    assert kept.explain("π ≈ 3.14").novelty > kept.explain(TEXTS[0]).novelty
    spoken = TextClassifier(class_names=True)
    spoken.fit(["it is lost", "it failed"], ["card", "top_up"])
    assert 0.5 < spoken.explain("my card is gone").prior_share < 1.0


def test_fit_follows_a_changed_use_of_class_names():
    spoken = TextClassifier(class_names=True).fit(TEXTS, LABELS)
    changed = TextClassifier().fit(TEXTS, LABELS).set_params(class_names=True).fit(TEXTS, LABELS)
    assert changed.uses_class_names
    np.testing.assert_array_equal(changed.predict_proba(TEXTS), spoken.predict_proba(TEXTS))


def test_rows_of_a_float_encoder_are_forgotten_through_the_cache_only(named, tmp_path):
    with pytest.raises(RowsNotLearnedError, match="CachedEncoder"):
        named().partial_fit(TEXTS, LABELS).forget(TEXTS[:1], LABELS[:1])
    kept = named(cache=tmp_path).partial_fit(TEXTS, LABELS)
    with pytest.raises(RowsNotLearnedError, match="row 0 is not among the 8 rows"):
        kept.forget(["the dog"], ["card"])
    kept.save(tmp_path / "model")
    later = TextClassifier.load(tmp_path / "model", kept.encoder_, cache=tmp_path)
    later.forget(TEXTS[:1], LABELS[:1])
    assert later.n_rows_ == 7


def test_a_saved_model_goes_on_as_before(model, tmp_path):
    model.save(tmp_path / "model")
    for loaded in (faast.load(tmp_path / "model"), TextClassifier.load(tmp_path / "model")):
        assert loaded.encoder_name == "hashing"
        assert loaded.predict(TEXTS).tolist() == model.predict(TEXTS).tolist()
        loaded.partial_fit(MORE, MORE_LABELS).forget(MORE, MORE_LABELS)
        assert fingerprint(loaded) == fingerprint(TextClassifier().fit(TEXTS, LABELS))


def test_another_encoder_is_refused(model, tmp_path):
    model.save(tmp_path / "model")
    with pytest.raises(EncoderMismatchError, match=r"learned with encoder 'hashing'.*'n_features'"):
        TextClassifier.load(tmp_path / "model", load_encoder("hashing", n_features=64))
    with pytest.raises(ValueError, match="holds a TextClassifier, not a ImageClassifier"):
        ImageClassifier.load(tmp_path / "model")
    with pytest.raises(ValueError, match="only models of one encoder"):
        model.merge(TextClassifier(load_encoder("hashing", n_features=64)))
    with pytest.raises(ValueError, match="takes text rows, encoder 'pixels' takes image rows"):
        TextClassifier("pixels").fit(TEXTS, LABELS)
    with pytest.raises(TypeError, match=r"got one string; pass \['card'\]"):
        TextClassifier(labels="card").fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match="'pixels' cannot embed text"):
        ImageClassifier(labels=["cat"]).predict([np.zeros((9, 9, 3), np.uint8)])


def rewritten(path, change):
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = json.loads(file.metadata()["faast"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(metadata["state"]["encoder"])
    metadata["hash"] = content_hash(tensors, {k: v for k, v in metadata.items() if k != "hash"})
    path.write_bytes(safetensors.numpy.save(tensors, {"faast": json.dumps(metadata)}))


def test_a_file_cannot_have_code_run_or_its_encoder_replaced(model, tmp_path):
    path = tmp_path / "model"
    model.save(path)
    rewritten(path, lambda encoder: encoder["settings"].update(trust_remote_code=True))
    with pytest.raises(ModelFileError, match="trust_remote_code"):
        faast.load(path)
    model.save(path)
    rewritten(path, lambda encoder: encoder["settings"].update(n_features=1024))
    with pytest.raises(EncoderMismatchError):
        TextClassifier.load(path)
    with pytest.raises(EncoderMismatchError):
        faast.load(path).predict(TEXTS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "minilm", "n_features": 2048}, "no encoder has the settings .*encoder 'minilm'"),
        ({"name": "pixels", "n_features": 2048}, "no encoder has the settings .*encoder 'pixels'"),
        ({"name": "magic"}, "no encoder has the settings .*unknown encoder 'magic'"),
        ({"name": "pixels"}, "takes text rows, encoder 'pixels' takes image rows"),
    ],
)
def test_an_encoder_of_another_kind_in_a_file_is_refused(model, tmp_path, settings, message):
    pytest.importorskip("PIL.Image")
    change = {"settings": settings, "fingerprint": load_encoder("pixels").fingerprint}
    model.save(tmp_path / "model")
    rewritten(tmp_path / "model", lambda encoder: encoder.update(change))
    with pytest.raises(EncoderMismatchError, match=message):
        faast.load(tmp_path / "model").predict(TEXTS)


def test_an_error_leaves_the_model_as_it_was(model):
    before = fingerprint(model)
    with pytest.raises(TypeError, match="row 1 must be a string"):
        model.partial_fit(["fine", 3], ["card", "card"])
    with pytest.raises(ValueError, match="same number of rows"):
        model.partial_fit(["fine"], ["card", "card"])
    with pytest.raises(TypeError, match=r"pass \[row\]"):
        model.predict("one text")
    assert fingerprint(model) == before


def test_images(images):
    bright = [np.full((9, 9, 3), value, np.uint8) for value in (250, 240)]
    edges = [image // 2 for image in images]
    model = ImageClassifier().partial_fit([*bright, *edges], ["plain"] * 2 + ["busy"] * 5)
    assert model.predict([bright[0] - 5, edges[1]]).tolist() == ["plain", "busy"]


@pytest.mark.parametrize("classes", [("card", "top_up"), ("card", "cash", "top_up")])
def test_a_plain_pipeline_answers_alike(model, classes):
    if "cash" in classes:
        model.partial_fit(MORE, MORE_LABELS)
    pipeline = model.to_pipeline()
    assert pipeline.predict(TEXTS).tolist() == model.predict(TEXTS).tolist()
    np.testing.assert_allclose(
        pipeline.predict_proba(TEXTS),
        model.predict_proba(TEXTS),
        atol=1e-9,
    )
    assert pipeline.classes_.tolist() == list(classes)


def test_a_pipeline_maps_features_where_the_classifier_does():
    kinds = [(card, thing) for card in ("my", "your") for thing in ("card", "money")]
    texts = [f"{card} {i} {thing}" for i in range(300) for card, thing in kinds]
    labels = [(card == "my") == (thing == "card") for card, thing in kinds] * 300  # no word tells
    encoder = load_encoder("hashing", n_features=64)
    model = TextClassifier(encoder).partial_fit(texts, labels)
    pipeline = model.to_pipeline()
    assert list(pipeline.named_steps) == ["encoder", "random_features", "head"]
    asked = ["my card", "no money", "money card"]
    expected = model.predict_proba(asked)
    np.testing.assert_allclose(pipeline.predict_proba(asked), expected, atol=1e-9)


def test_one_picture_is_not_taken_for_several():
    pictures = list(np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), np.uint8))
    model = ImageClassifier().fit(pictures, ["left", "right"])
    with pytest.raises(ValueError, match=r"\(4, 4, 3\) is one picture in colour; pass \[picture\]"):
        model.predict(pictures[0])
    assert model.predict(np.stack(pictures)).tolist() == ["left", "right"]


def test_labels_that_can_be_read_once_are_refused():
    with pytest.raises(
        TypeError, match=r"y is a generator, which is read only once; pass list\(y\)"
    ):
        TextClassifier().fit(["a", "b"], (label for label in "xy"))
