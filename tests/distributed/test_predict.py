"""Answers for a Ray dataset are those of the model itself."""

import pytest

from faast import FaastClassifier
from faast.distributed import predict_dataset
from faast.distributed.predict import Predictor


def test_texts_are_answered_as_by_the_model(ray, table, alone, tmp_path):
    texts, labels = (column[::9] for column in table)
    rows = [{"text": text, "label": label} for text, label in zip(texts, labels, strict=True)]
    alone.save(tmp_path / "model")
    answered = predict_dataset(ray.data.from_items(rows), tmp_path / "model", workers=1).take_all()
    probabilities = alone.predict_proba(texts).max(axis=1)
    expected = dict(zip(texts, zip(alone.predict(texts), probabilities, strict=True), strict=True))
    assert len(answered) == len(texts)
    for row in answered:
        label, probability = expected[row["text"]]
        assert row["prediction"] == label
        assert row["probability"] == pytest.approx(probability, rel=1e-9)  # batches differ
        assert row["label"] in labels


def test_columns_of_numbers_are_one_row(rng):
    arrow = pytest.importorskip("pyarrow")
    rows = rng.standard_normal((40, 3))
    model = FaastClassifier().fit(rows, rows[:, 0] > 0)
    table = arrow.table(dict(zip("abc", rows.T, strict=True)))
    answered = Predictor(None, model.compact(), None, "label")(table)
    assert answered.column_names == ["a", "b", "c", "prediction", "probability"]
    assert answered["prediction"].to_pylist() == model.predict(rows).tolist()
