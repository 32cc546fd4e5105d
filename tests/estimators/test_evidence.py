"""Evidence: words, regions and columns that speak for a label and against another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import faast
from faast import FaastClassifier, ImageClassifier, TextClassifier
from faast.encoders import load_encoder
from faast.encoders.base import Encoder
from tests.strategies import problems

TEXTS = [
    "my card never arrived",
    "the card got lost in the post",
    "when will my new card come",
    "top up by bank transfer",
    "my top up is pending",
    "why did the top up fail",
    "withdraw cash abroad",
    "the cash machine kept my money",
]
LABELS = ["card"] * 3 + ["top_up"] * 3 + ["cash"] * 2


@pytest.fixture(scope="module")
def model():
    return TextClassifier("hashing").fit(TEXTS, LABELS)


def lead(model, row, label, against):
    logs = dict(zip(model.classes_.tolist(), np.log(model.predict_proba([row])[0]), strict=True))
    return logs[label] - logs[against]


ODD = st.sampled_from(list("ab c,'-\u00a8\ufb01\u0130\u00df\U0001f600"))


@given(st.text(st.one_of(ODD, st.characters(codec="utf-8"))))
@settings(deadline=None, max_examples=60)
def test_words_share_a_linear_score_out_exactly(text):
    encoder = load_encoder("hashing", n_features=64)
    weights = np.random.default_rng(0).standard_normal(64)
    shares = encoder.share_out(text, weights)
    if shares:
        total = float(encoder.encode([text])[0].astype(float) @ weights)
        assert sum(share for _, share in shares) == pytest.approx(total, abs=1e-9)
    assert Encoder.share_out(encoder, text, weights) is None


def test_words_that_decide_have_the_largest_effects_and_all_add_up(model):
    found = model.evidence("has my card been sent?")
    assert found.label == "card"
    assert found.exact
    assert [part.name for part in found.parts] == ["has", "my", "card", "been", "sent?"]
    assert found.strongest(1)[0].name == "card"
    assert found.strongest(1)[0].effect > 0
    assert found.lead == pytest.approx(lead(model, "has my card been sent?", "card", found.against))
    assert sum(part.effect for part in found.parts) + found.rest == pytest.approx(found.lead)


def test_the_other_label_is_the_most_similar_class_or_the_one_that_is_named(model):
    row = "top up by card"
    order = model.classes_[np.argsort(-model.predict_proba([row])[0])].tolist()
    found = model.evidence(row)
    assert [found.label, found.against] == order[:2]
    turned = model.evidence(row, label=found.against, against=found.label)
    assert turned.lead == pytest.approx(-found.lead)
    for one, other in zip(found.parts, turned.parts, strict=True):
        assert one.effect == pytest.approx(-other.effect)
    assert model.evidence(row, label=order[2]).against == order[0]


def test_words_are_left_out_where_features_are_no_sums_over_words(model):
    class Opaque(type(load_encoder("hashing"))):
        def share_out(self, text, weights):
            return None

    opaque = TextClassifier(Opaque()).fit(TEXTS, LABELS)
    found = opaque.evidence("my card was lost", against="cash")
    assert not found.exact
    without = lead(opaque, "my was lost", "card", "cash")
    assert dict(found.parts)["card"] == pytest.approx(found.lead - without)
    long = opaque.evidence(" ".join(["card"] * 150), against="cash")
    assert len(long.parts) == 50
    assert long.parts[0].name == "card card card"


@given(problems())
@settings(deadline=None, max_examples=25)
def test_columns_add_up_to_the_lead_from_the_mean_row(problem):
    rows, labels = problem
    model = FaastClassifier().fit(rows, labels)
    found = model.evidence(rows[3])
    assert found.exact
    assert sum(part.effect for part in found.parts) + found.rest == pytest.approx(found.lead)
    mean = np.mean(rows.astype(float), axis=0)
    assert found.rest == pytest.approx(lead(model, mean, found.label, found.against), abs=1e-3)


def test_columns_are_left_out_where_random_features_are_used():
    random = np.random.default_rng(0)
    rows = random.standard_normal((3000, 3)) / 2
    model = FaastClassifier().fit(rows, (rows[:, 0] * rows[:, 1] > 0).astype(int))
    assert model.n_random_features_
    found = model.evidence([0.6, 0.6, 0.1])
    assert not found.exact
    assert found.label == 1
    assert {part.name for part in found.strongest(2)} == {"0", "1"}
    without = lead(model, [rows[:, 0].mean(), 0.6, 0.1], 1, 0)
    assert found.parts[0].effect == pytest.approx(found.lead - without, abs=1e-3)


def test_the_region_that_decides_is_found():
    pytest.importorskip("PIL")
    random = np.random.default_rng(0)
    images = random.integers(90, 110, (60, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(60) % 2
    for image, label in zip(images, labels, strict=True):
        image[4:12, 20:28] = [250, 20, 20] if label else [20, 20, 250]
    model = ImageClassifier("pixels").fit(list(images[:-1]), labels[:-1])
    found = model.evidence(images[-1])
    assert found.label == labels[-1]
    assert found.shape == (8, 8)
    effects = np.reshape([part.effect for part in found.parts], found.shape)
    inside = effects[1:3, 5:7]
    assert inside.mean() > 5 * np.abs(np.delete(effects, [0, 1, 2, 3], axis=0)).mean()
    assert found.strongest(1)[0].name in {
        f"row {row}, column {column}" for row in (2, 3) for column in (6, 7)
    }


def test_one_label_of_several_is_compared_with_its_absence():
    indicator = np.eye(3, dtype=int)[[0, 0, 0, 1, 1, 1, 2, 2]]
    model = TextClassifier("hashing").fit(TEXTS, indicator)
    found = model.evidence("where is my card", label=0)
    assert found.against is None
    assert sum(part.effect for part in found.parts) + found.rest == pytest.approx(found.lead)
    share = model.predict_proba(["where is my card"])[0, 0]
    assert found.lead == pytest.approx(np.log(share / (1 - share)))


def test_files_and_compact_copies_give_the_same_evidence(model, tmp_path):
    expected = model.evidence("card lost")
    model.save(tmp_path / "model")
    assert faast.load(tmp_path / "model").evidence("card lost") == expected
    assert model.compact().evidence("card lost") == expected


def test_what_cannot_be_compared_is_refused(model):
    for arguments, message in (
        ({"label": "cards"}, "'cards' is no class of the model"),
        ({"label": "card", "against": "card"}, "cannot be compared with itself"),
        ({"label": None, "against": "nothing"}, "'nothing' is no class"),
    ):
        with pytest.raises(ValueError, match=message):
            model.evidence("card", **arguments)
    with pytest.raises(ValueError, match="only one class"):
        TextClassifier().fit(["a", "b"], [0, 0]).evidence("a")
    table = FaastClassifier().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1]).compact()
    with pytest.raises(ValueError, match="means of the columns are not known"):
        table.evidence([0.0, 1.0])
    blank = model.evidence(" ")
    assert blank.parts == ()
    assert blank.rest == blank.lead


def test_an_alias_stands_for_its_class(model):
    named = TextClassifier("hashing").fit(TEXTS, LABELS).alias_classes({"karte": "card"})
    expected = model.evidence(TEXTS[0], "card", "cash")
    assert named.evidence(TEXTS[0], "karte", "cash") == expected
    assert named.evidence(TEXTS[0], "cash", "karte").lead == pytest.approx(-expected.lead)
    with pytest.raises(ValueError, match="'card' cannot be compared with itself"):
        named.evidence(TEXTS[0], "karte", "card")


def test_columns_of_a_row_are_found_by_their_names(rng):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(rng.normal(size=(30, 3)), columns=["a", "b", "c"])
    model = FaastClassifier().fit(table, np.arange(30) % 3)
    row = table.iloc[0]
    expected = model.evidence(row)
    for given_row in row[::-1], row[::-1].to_dict(), row.to_numpy():
        assert model.evidence(given_row) == expected
        assert model.explain(given_row) == model.explain(row)
    with pytest.raises(ValueError, match=r"expected one row of shape \(d,\), got a DataFrame"):
        model.evidence(table[:1])
    with pytest.raises(ValueError, match="the table has no column 'c'"):
        model.explain(row[:2])
