"""ONNX graphs answer as the classifier they were written from."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from faast import FaastClassifier, ImageClassifier, Ridge, TextClassifier, TextRegressor

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


def run(path, features):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"features": np.asarray(features, np.float32)})


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return np.asarray(images / 16, np.float32), labels


@pytest.mark.parametrize("solver", ["auto", Ridge(1e-2)])
@pytest.mark.parametrize("classes", [range(10), (3, 8)])
def test_integer_labels_and_probabilities(digits, tmp_path, solver, classes):
    images, labels = (part[np.isin(digits[1], classes)] for part in digits)
    model = FaastClassifier(solver).fit(images[::2], labels[::2])
    model.to_onnx(tmp_path / "model.onnx")
    label, probabilities = run(tmp_path / "model.onnx", images[1::2])
    np.testing.assert_allclose(probabilities, model.predict_proba(images[1::2]), atol=1e-5)
    np.testing.assert_array_equal(label, model.predict(images[1::2]))


def test_random_features_are_rounded_alike(digits, tmp_path):
    images, labels = digits
    model = FaastClassifier().fit(images[:1400], labels[:1400])
    assert model.n_random_features_ > 0, "these are enough rows for a lift"
    model.to_onnx(tmp_path / "model.onnx")
    _, probabilities = run(tmp_path / "model.onnx", images[1400:])
    np.testing.assert_allclose(probabilities, model.predict_proba(images[1400:]), atol=1e-6)


def test_several_labels_a_row(digits, tmp_path):
    images, labels = digits
    indicator = np.stack([labels % 2 == 0, labels > 4], axis=1).astype(int)
    model = FaastClassifier(Ridge(1e-2)).fit(images, indicator)
    model.to_onnx(tmp_path / "model.onnx")
    label, probabilities = run(tmp_path / "model.onnx", images)
    np.testing.assert_allclose(probabilities, model.predict_proba(images), atol=1e-5)
    np.testing.assert_array_equal(label, model.predict(images))


def test_text_labels_and_rows_of_any_norm(tmp_path):
    texts = ["lost my card", "card stolen", "top up failed", "cannot top up"]
    model = TextClassifier().partial_fit(texts, ["card", "card", "top_up", "top_up"])
    model.to_onnx(tmp_path / "model.onnx")
    features = model.encode(texts)
    for scale in (1, 3):
        label, probabilities = run(tmp_path / "model.onnx", scale * features)
        assert label.tolist() == ["card", "card", "top_up", "top_up"]
        expected = model.on_features().predict_proba(features)
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("labels", [["a", "b", "b", "b"], [["a"], ["b", "c"], [], ["b"]]])
def test_rows_that_say_nothing(tmp_path, labels):
    texts = ["lost my card", "card stolen", "top up failed", "cannot top up"]
    model = TextClassifier(solver=Ridge(1e-2)).fit(texts, labels)
    model.to_onnx(tmp_path / "model.onnx")
    learned = model.encode(texts)
    features = np.zeros((3, model.n_features_in_), np.float32)
    features[1, np.argmin(np.abs(learned).sum(axis=0))] = 1.0  # no text has this feature
    features[2] = learned[0]
    label, probabilities = run(tmp_path / "model.onnx", features)
    expected = model.on_features()
    np.testing.assert_allclose(probabilities, expected.predict_proba(features), atol=1e-6)
    if label.ndim == 1:
        assert expected.is_blank(features).tolist() == [True, True, False]
        assert label.tolist() == expected.predict(features).tolist() == ["b", "b", "a"]


def test_a_row_of_zeros_has_a_value(tmp_path):
    texts = ["lost my card", "card stolen", "top up failed", "cannot top up"]
    model = TextRegressor().fit(texts, [1.0, 2.0, 3.0, 4.0])
    model.to_onnx(tmp_path / "model.onnx")
    zeros = np.zeros((1, model.n_features_in_))
    (value,) = run(tmp_path / "model.onnx", zeros)
    np.testing.assert_allclose(value, model.on_features().predict(zeros))


def test_nothing_learned_nothing_written(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        ImageClassifier().to_onnx(tmp_path / "model.onnx")
    assert not any(tmp_path.iterdir())
