"""Classes that are paths, answered as far down as is sure enough."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faast import FaastClassifier, TextClassifier
from faast.estimators.hierarchy import Hierarchy, has_levels

CLASSES = ["card", "card/lost", "card/new", "cash/fee/abroad", "cash/fee/home", "other"]
TEXTS = [
    "I lost my card", "my card is lost", "card lost in town", "lost a card",
    "new card please", "I need a new card", "my new card", "send a new card",
    "cash machine fee", "the fee for cash", "cash costs a fee", "what is the cash fee",
]  # fmt: skip
LABELS = ["card/lost"] * 4 + ["card/new"] * 4 + ["cash/fee"] * 4


def test_a_node_is_as_probable_as_its_classes_together():
    hierarchy = Hierarchy(CLASSES)
    leaves = np.array([[0.1, 0.3, 0.2, 0.15, 0.05, 0.2]])
    names, found = hierarchy.probabilities(leaves, 1)
    assert dict(zip(names.tolist(), found[0].round(9).tolist(), strict=True)) == {
        "card": 0.6, "cash": 0.2, "other": 0.2,
    }  # fmt: skip
    names, found = hierarchy.probabilities(leaves, 2)
    assert names.tolist() == ["card", "card/lost", "card/new", "cash/fee", "other"]
    assert hierarchy.depth == 3


@pytest.mark.parametrize(
    ("leaves", "confidence", "path"),
    [
        ([0.0, 0.5, 0.45, 0.0, 0.0, 0.05], 0.9, "card"),
        ([0.0, 0.95, 0.0, 0.0, 0.0, 0.05], 0.9, "card/lost"),
        ([0.95, 0.05, 0.0, 0.0, 0.0, 0.0], 0.9, "card"),  # the class itself
        ([0.0, 0.0, 0.0, 0.5, 0.45, 0.05], 0.9, "cash/fee"),
        ([0.0, 0.0, 0.0, 0.9, 0.05, 0.05], 0.9, "cash/fee/abroad"),
        ([0.2, 0.2, 0.2, 0.1, 0.1, 0.2], 0.9, ""),
        ([0.2, 0.2, 0.2, 0.1, 0.1, 0.2], 0.5, "card"),
        ([0.0, 0.0, 0.0, 0.0, 0.0, 1.0], 1.0, "other"),
    ],
)
def test_answers_go_down_while_they_are_sure(leaves, confidence, path):
    paths, shares = Hierarchy(CLASSES).descend(np.array([leaves]), confidence)
    assert paths.tolist() == [path]
    assert shares[0] >= confidence


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1.0))
def test_an_answer_is_probable_and_nothing_below_it_is(seed, confidence):
    leaves = np.random.default_rng(seed).dirichlet(np.full(len(CLASSES), 0.4), 7)
    hierarchy = Hierarchy(CLASSES)
    paths, shares = hierarchy.descend(leaves, confidence)
    for path, share, row in zip(paths, shares, leaves, strict=True):
        inside = [not path or name == path or name.startswith(f"{path}/") for name in CLASSES]
        assert share == pytest.approx(row[inside].sum())
        assert share >= confidence or not path
        below = hierarchy.probabilities(row[None], path.count("/") + 2 if path else 1)
        for name, deeper in zip(below[0], below[1][0], strict=True):
            if name.startswith(f"{path}/" if path else "") and name != path:
                assert deeper < confidence or share >= deeper


def test_a_classifier_answers_paths():
    model = TextClassifier().fit(TEXTS, LABELS)
    asked = ["I lost my card", "my card", "hello"]
    sure = model.predict_path(asked, confidence=0.5)
    assert sure[0] == "card/lost"
    assert sure[1].startswith("card")
    careful = model.predict_path(asked, confidence=0.9)
    assert all(path.startswith(short) for path, short in zip(sure, careful, strict=True) if short)
    dotted = TextClassifier().fit(TEXTS, [label.replace("/", ".") for label in LABELS])
    assert dotted.predict_path(asked, 0.5, separator=".")[0] == "card.lost"


def test_paths_that_cannot_be_are_refused():
    model = TextClassifier().fit(["a", "b"], ["x//y", "x/z"])
    with pytest.raises(ValueError, match="the path 'x//y' has an empty part"):
        model.predict_path(["a"])
    for wrong in (0.0, 1.1, float("nan"), "0.5"):
        with pytest.raises(ValueError, match="confidence must be a number between 0 and 1"):
            model.predict_path(["a"], wrong)
    with pytest.raises(ValueError, match="the separator of paths is empty"):
        model.predict_path(["a"], separator="")
    with pytest.raises(ValueError, match="paths must be texts, but 0 is a class"):
        FaastClassifier().fit(np.eye(2), [0, 1]).predict_path(np.eye(2))
    with pytest.raises(ValueError, match="where rows have one label"):
        FaastClassifier().fit(np.eye(4), np.eye(4, 2, dtype=int)).predict_path(np.eye(4))


def test_which_classes_have_levels():
    assert has_levels(CLASSES)
    assert not has_levels(["card", "cash"])
    assert not has_levels(["a/b", 1])
    assert not has_levels(["a//b", "c"])
