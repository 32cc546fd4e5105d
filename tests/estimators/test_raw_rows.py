"""Classifiers of raw rows are scikit-learn estimators on lists, Series and arrays."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import (
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
)

from faast import FaastClassifier, ImageClassifier, Ridge, TextClassifier

TEXTS = [
    "my card is lost", "the card has not arrived", "where is my new card", "card stolen",
    "top up failed", "money was not added", "I cannot top up", "top up by transfer",
] * 3  # fmt: skip
LABELS = (["card"] * 4 + ["top_up"] * 4) * 3


@pytest.mark.parametrize("kind", [TextClassifier, ImageClassifier, FaastClassifier])
@pytest.mark.parametrize(
    "check", [check_no_attributes_set_in_init, check_parameters_default_constructible]
)
def test_construction_follows_the_conventions(kind, check):
    check(kind.__name__, kind())


def test_cross_validation_takes_raw_texts():
    assert cross_val_score(TextClassifier(), TEXTS, LABELS, cv=3).mean() == 1.0
    found = cross_val_predict(TextClassifier(), TEXTS, LABELS, cv=3, method="predict_proba")
    assert found.shape == (24, 2)


def test_a_grid_search_chooses_among_parameters():
    search = GridSearchCV(TextClassifier(), {"solver": ["auto", Ridge()], "novelty": [True, False]})
    search.fit(TEXTS, LABELS)
    assert search.best_estimator_.predict(["lost card"]).tolist() == ["card"]


def test_containers_of_texts_are_alike():
    pandas = pytest.importorskip("pandas")
    model = TextClassifier().fit(TEXTS, LABELS)
    asked = ["lost card", "top up"]
    expected = model.predict_proba(asked)
    for container in (
        tuple(asked),
        np.array(asked),
        np.array(asked, dtype=object),
        np.array(asked)[:, None],
        pandas.Series(asked, index=[7, 3]),
        pandas.DataFrame({"text": asked}),
    ):
        assert np.array_equal(model.predict_proba(container), expected)
        found = model.to_pipeline().predict_proba(container)
        np.testing.assert_allclose(found, expected, atol=1e-9)
    same = TextClassifier().fit(pandas.Series(TEXTS), pandas.Series(LABELS, dtype="category"))
    assert np.array_equal(same.predict_proba(asked), expected)


def test_copies_are_independent():
    model = TextClassifier().fit(TEXTS, LABELS)
    copies = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    before = model.predict_proba(["withdraw cash"])
    model.partial_fit(["withdraw cash"], ["cash"])
    for twin in copies:
        assert np.array_equal(twin.predict_proba(["withdraw cash"]), before)
    assert not clone(model).is_fitted


def test_it_stands_in_a_pipeline():
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    model = make_pipeline(lower, TextClassifier()).fit(TEXTS, LABELS)
    assert model.score([text.upper() for text in TEXTS], LABELS) == 1.0


def test_any_encoder_makes_a_classifier_of_its_rows():
    plain = FaastClassifier(encoder="hashing").fit(TEXTS, LABELS)
    assert plain.modality == "text"
    assert np.array_equal(
        plain.predict_proba(TEXTS), TextClassifier().fit(TEXTS, LABELS).predict_proba(TEXTS)
    )
    assert FaastClassifier().modality == "features"


def test_encoded_rows_are_asked_once_encoded():
    model = TextClassifier(novelty=True).fit(TEXTS, LABELS)
    features, asked = model.encode(TEXTS), model.on_features()
    assert np.array_equal(asked.predict_proba(features), model.predict_proba(TEXTS))
    assert np.array_equal(asked.novelty_score(features), model.novelty_score(TEXTS))
    before = asked.classes_
    model.partial_fit(["withdraw cash"], ["cash"])
    assert np.array_equal(asked.classes_, before)


def test_tables_and_mappings_are_not_rows():
    pandas = pytest.importorskip("pandas")
    model = TextClassifier().fit(TEXTS, LABELS)
    table = pandas.DataFrame({"text": TEXTS, "label": LABELS})
    for given in (table, {"text": TEXTS}):
        with pytest.raises(TypeError, match="pass one column"):
            model.predict(given)
        with pytest.raises(TypeError, match="pass one column"):
            TextClassifier().fit(given, LABELS[:2])


@pytest.mark.parametrize("selection_rows", [-1, 1.5, True])
def test_impossible_numbers_of_rows_to_keep_are_named(selection_rows):
    with pytest.raises(ValueError, match="selection_rows must be a whole number"):
        TextClassifier(selection_rows=selection_rows).fit(TEXTS, LABELS)


def test_another_encoder_takes_effect_before_the_first_rows_are_learned():
    model = TextClassifier()
    assert model.encoder_name == "hashing"
    model.set_params(encoder="nope")
    with pytest.raises(ValueError, match="nope"):
        model.partial_fit(["a b", "c d"], ["x", "y"])
