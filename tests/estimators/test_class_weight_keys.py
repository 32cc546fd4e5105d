"""Class weights of labels that are no class are refused where all classes are known."""

import numpy as np
import pytest

from faast import FaastClassifier, NaturalGradientClassifier, TextClassifier

X = np.vstack([np.eye(4), -np.eye(4)])
Y = np.array(["positive", "negative"] * 4)


@pytest.mark.parametrize("kind", [FaastClassifier, NaturalGradientClassifier])
def test_a_misspelled_key_is_refused(kind):
    model = kind(class_weight={"postive": 5.0})
    with pytest.raises(ValueError, match="class_weight names 'postive', which is no class"):
        model.fit(X, Y)
    assert not hasattr(model, "learned_")
    with pytest.raises(ValueError, match="class_weight names '1'"):
        kind(class_weight={"1": 2.0}).fit(X, np.arange(8) % 2)
    assert kind(class_weight={"positive": 5.0}).fit(X, Y.tolist()).n_rows_ == 4 * 5 + 4


def test_announced_classes_may_have_weights():
    TextClassifier(labels=["good", "bad"], class_weight={"bad": 2.0}).fit(["fine"], ["good"])
    named = {"positive": np.eye(4)[0], "other": np.eye(4)[1]}
    FaastClassifier(class_embeddings=named, class_weight={"other": 2.0}).fit(X, Y)


def test_a_key_counts_when_its_class_arrives():
    model = FaastClassifier(class_weight={"late": 3.0}).partial_fit(X, Y)
    assert model.partial_fit(X[:1], ["late"]).n_rows_ == 8 + 3


def test_an_alias_weighs_the_rows_of_its_class():
    rows, labels = np.eye(4), ["card", "cash", "card", "cash"]
    model = FaastClassifier().fit(rows, labels).alias_classes({"Karte": "card"})
    model.set_params(class_weight={"Karte": 3.0}).partial_fit(rows, labels)
    assert model.class_counts_.tolist() == [8.0, 4.0]
    model.set_params(class_weight={"Karte": 3.0, "card": 2.0})
    with pytest.raises(
        ValueError, match="class_weight gives 'card' the weights 3 and 2, one by an alias"
    ):
        model.partial_fit(rows, labels)
    assert model.class_counts_.tolist() == [8.0, 4.0]


@pytest.mark.parametrize("weight", [-1.0, None, "2", np.nan, np.inf])
def test_what_is_no_weight_of_a_class_is_named(weight):
    with pytest.raises(ValueError, match="class_weight of 'card' must be a finite number"):
        FaastClassifier(class_weight={"card": weight}).fit(np.eye(2), ["card", "cash"])
