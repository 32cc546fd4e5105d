"""Models in folders laid out as on the hub."""

import json

import pytest

from faast import (
    FaastClassifier,
    ModelFileError,
    NaturalGradientClassifier,
    TextClassifier,
    TextRegressor,
)

pytest.importorskip("huggingface_hub")

from faast.hub import MODEL_FILE, HubModel, data_hash

TEXTS = ["lost my card", "card stolen", "top up failed", "cannot top up"]
LABELS = ["card", "card", "top_up", "top_up"]


@pytest.fixture
def model():
    return TextClassifier().fit(TEXTS, LABELS)


def test_a_model_comes_back_as_it_was(model, tmp_path):
    HubModel(model, {"accuracy": 0.913}).save_pretrained(tmp_path / "cards")
    restored = HubModel.from_pretrained(tmp_path / "cards")
    assert restored.model.predict(TEXTS).tolist() == model.predict(TEXTS).tolist()
    assert restored.results == {"accuracy": 0.913}
    restored.model.partial_fit(["hello"], ["greeting"]).forget(["hello"], ["greeting"])
    restored.model.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "cards" / MODEL_FILE).read_bytes()


def test_the_card_says_what_was_learned_and_measured(model, tmp_path):
    HubModel(model, {"accuracy": 0.913}).save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert "library_name: faast" in card
    for shown in (
        "TextClassifier",
        "| encoder | hashing |",
        "card, top_up",
        "| accuracy | 0.913 |",
    ):
        assert shown in card
    assert data_hash(model) in card


def test_the_data_hash_knows_rows_and_not_their_order(model):
    backwards = TextClassifier().fit(TEXTS[::-1], LABELS[::-1])
    backwards.predict(TEXTS)
    assert data_hash(backwards) == data_hash(model)
    model.partial_fit(["hello"], ["card"])
    assert data_hash(backwards) != data_hash(model)


def test_a_damaged_or_missing_file_is_refused(model, tmp_path):
    HubModel(model).save_pretrained(tmp_path)
    path = tmp_path / MODEL_FILE
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError):
        HubModel.from_pretrained(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        HubModel.from_pretrained(tmp_path)


def test_features_alone_and_compacted(unit_rows, tmp_path):
    rows, one_hot = unit_rows
    classifier = FaastClassifier().fit(rows, one_hot.argmax(axis=1))
    HubModel(classifier.compact()).save_pretrained(tmp_path)
    assert "Not measured." in (tmp_path / "README.md").read_text()
    assert json.loads((tmp_path / "config.json").read_text()) == {"results": None}
    restored = HubModel.from_pretrained(tmp_path).model
    assert (restored.predict(rows) == classifier.predict(rows)).all()


def test_a_stream_learned_in_one_pass_has_no_data_hash(unit_rows, tmp_path):
    rows, one_hot = unit_rows
    classifier = NaturalGradientClassifier().fit(rows, one_hot.argmax(axis=1))
    HubModel(classifier).save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert "| rows | features |" in card
    assert "| rows learned | 60 |" in card
    assert "data hash" not in card
    with pytest.raises(ValueError, match="keeps no statistics that could be hashed"):
        data_hash(classifier)
    restored = HubModel.from_pretrained(tmp_path).model
    assert (restored.predict(rows) == classifier.predict(rows)).all()


def test_numbers_come_back_as_they_were(tmp_path):
    regressor = TextRegressor().fit([f"{'room ' * n}" for n in range(1, 9)], range(8))
    HubModel(regressor).save_pretrained(tmp_path)
    loaded = HubModel.from_pretrained(str(tmp_path)).model
    assert loaded.predict_one("room") == regressor.predict_one("room")
    card = (tmp_path / "README.md").read_text()
    assert "# TextRegressor" in card
    assert "| rows learned | 8 |" in card
    assert "R², left out" in card


def test_labels_keep_within_their_cell_of_the_card(tmp_path):
    model = TextClassifier().fit(["a b", "c d"], ["x|y", "two\nlines"])
    HubModel(model).save_pretrained(tmp_path)
    assert "| classes | two lines, x\\|y |" in (tmp_path / "README.md").read_text()
