"""Why a task answers, how accurate it is, which labels look wrong, and which row comes next."""

import base64
import io

import numpy as np
import pytest
from sklearn.datasets import load_digits

from faast import FaastClassifier, ImageClassifier, TextClassifier
from tests.serve.conftest import ROWS, state_of, teach

TEXTS, LABELS = [row[0] for row in ROWS], [row[1] for row in ROWS]


def ask(client, what, task="mail", **question):
    answer = client.post(f"/v1/tasks/{task}/{what}", json=question)
    assert answer.status_code == 200, answer.text
    return answer.json()


def see(client, what, task="mail"):
    answer = client.get(f"/v1/tasks/{task}/{what}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def encoded(pixels):
    image = pytest.importorskip("PIL.Image")
    stream = io.BytesIO()
    image.fromarray(pixels).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.fixture
def digits(client):
    """Return the client with a task of 300 digits, three of them with a wrong label, and a pool."""
    X, y = load_digits(return_X_y=True)
    labels = y[:300].astype(str)
    labels[[10, 50, 200]] = "5", "6", "7"
    client.post("/v1/tasks", json={"name": "mail", "kind": "numbers"})
    rows = [
        {"numbers": row, "label": label}
        for row, label in zip(X[:300].tolist(), labels.tolist(), strict=True)
    ]
    rows += [{"numbers": row} for row in X[300:500].tolist()]
    assert client.post("/v1/tasks/mail/rows", json={"rows": rows}).status_code == 201
    return client, X, labels


def test_novelty_is_answered_where_it_is_asked_for(mail):
    plain = ask(mail, "ask", texts=["my card"])["answers"][0]
    assert plain["novelty_p_value"] is None
    model = TextClassifier(novelty=True).fit(TEXTS, LABELS)
    texts = ["my card", "the moon is a balloon"]
    found = [
        one["novelty_p_value"] for one in ask(mail, "ask", texts=texts, novelty=True)["answers"]
    ]
    np.testing.assert_allclose(found, model.novelty_p_value(texts), rtol=1e-6)


def test_words_share_the_evidence(mail):
    found = ask(mail, "explain", text="where is my card")
    answer = ask(mail, "ask", texts=["where is my card"])["answers"][0]
    assert {name: found[name] for name in answer} == answer | {
        "novelty_p_value": found["novelty_p_value"]
    }
    evidence = TextClassifier().fit(TEXTS, LABELS).evidence("where is my card")
    effects = np.array([part.effect for part in evidence.parts])
    assert [word["text"] for word in found["words"]] == [part.name for part in evidence.parts]
    shares = [word["share"] for word in found["words"]]
    np.testing.assert_allclose(shares, effects / np.abs(effects).sum(), atol=1e-9)
    assert found["against"] == evidence.against
    assert found["regions"] is found["columns"] is None
    assert found["prior_share"] == 0.0
    similar = found["rows"]
    assert [row["similarity"] for row in similar] == sorted(
        (row["similarity"] for row in similar), reverse=True
    )
    assert similar[0]["text"] in TEXTS


def test_one_class_has_nothing_against_it(client):
    client.post("/v1/tasks", json={"name": "mail"})
    teach(client, ROWS[:2])
    found = ask(client, "explain", text="my card")
    assert (found["label"], found["against"], found["words"]) == ("card", None, [])
    assert see(client, "evaluation")["accuracy"] == 1.0
    assert see(client, "suspects")["suspects"] == []


def test_regions_of_a_picture_point_at_what_differs(client):
    random = np.random.default_rng(0)

    def draw(corner):
        pixels = random.integers(0, 30, (64, 64, 3), dtype=np.uint8)
        if corner:
            pixels[:16, :16] = 255 * (np.indices((16, 16)).sum(axis=0) % 4 < 2)[..., None]
        return pixels

    client.post("/v1/tasks", json={"name": "mail", "kind": "pictures"})
    assert client.get("/v1/tasks/mail").json()["encoder"] == "pixels"
    pictures = [draw(i % 2) for i in range(12)]
    rows = [
        {"picture": encoded(pixels), "label": ("plain", "corner")[i % 2]}
        for i, pixels in enumerate(pictures)
    ]
    client.post("/v1/tasks/mail/rows", json={"rows": rows})
    asked = draw(1)
    found = ask(client, "explain", picture=encoded(asked))
    assert found["label"] == "corner"
    assert ask(client, "ask", pictures=[encoded(asked)])["answers"][0]["label"] == "corner"
    assert len(found["regions"]) == 64
    assert sum(region["width"] * region["height"] for region in found["regions"]) == pytest.approx(
        1
    )
    most = max(found["regions"], key=lambda region: region["share"])
    assert (most["x"] < 0.25, most["y"] < 0.25) == (True, True)
    model = ImageClassifier().fit(pictures, ["plain", "corner"] * 6)
    assert found["probability"] == pytest.approx(model.predict_proba([asked]).max(), abs=1e-9)
    assert found["rows"][0]["picture"].endswith("/picture")


def test_columns_of_numbers_share_the_evidence(digits):
    client, X, _ = digits
    found = ask(client, "explain", numbers=X[600].tolist())
    assert len(found["columns"]) == 64
    assert sum(abs(column["share"]) for column in found["columns"]) == pytest.approx(1)
    refused = client.post("/v1/tasks/mail/ask", json={"numbers": [[1.0, 2.0]]})
    assert (refused.status_code, "have 64 numbers, got 2" in refused.text) == (422, True)


def test_a_question_is_of_the_kind_of_the_task(mail):
    for question in ({"numbers": [[1.0]]}, {"texts": ["a"], "numbers": [[1.0]]}, {}):
        assert mail.post("/v1/tasks/mail/ask", json=question).status_code == 422
    assert mail.post("/v1/tasks/mail/explain", json={"numbers": [1.0]}).status_code == 422


def test_suspects_are_the_rows_that_the_others_contradict(digits):
    client, X, labels = digits
    found = see(client, "suspects?limit=3")
    assert sorted(one["row"]["id"] for one in found["suspects"]) == [11, 51, 201]
    model = FaastClassifier().fit(X[:300].astype(np.float32), labels)
    expected = model.suspects(X[:300].astype(np.float32), labels)
    shares = model.loo_proba(X[:300].astype(np.float32), labels)
    for one in found["suspects"]:
        place = one["row"]["id"] - 1
        assert one["suggested"] == expected.suggested[expected.rows.tolist().index(place)]
        own, better = (
            model.classes_.tolist().index(label) for label in (labels[place], one["suggested"])
        )
        assert one["probability"] == pytest.approx(shares[place, own])
        assert one["probability_of_suggested"] == pytest.approx(shares[place, better])
    assert found["estimated_wrong"] == pytest.approx(expected.n_wrong)
    client.post("/v1/tasks/mail/rows/11/confirm")
    assert all(one["row"]["id"] != 11 for one in see(client, "suspects")["suspects"])
    client.patch("/v1/tasks/mail/rows/51", json={"label": str(load_digits().target[50])})
    assert all(one["row"]["id"] != 51 for one in see(client, "suspects")["suspects"])


def test_the_next_rows_are_those_that_suggest_chooses(digits):
    client, X, labels = digits
    model = FaastClassifier().fit(X[:300].astype(np.float32), labels)
    expected = model.suggest(X[300:500].astype(np.float32), 5).rows
    found = see(client, "next?n=5")
    assert found["waiting"] == 200
    assert [one["row"]["id"] for one in found["rows"]] == (expected + 301).tolist()
    guess = found["rows"][0]["guess"]
    assert guess["label"] == model.predict(X[[300 + expected[0]]])[0]
    first = found["rows"][0]["row"]["id"]
    client.patch(f"/v1/tasks/mail/rows/{first}", json={"label": guess["label"]})
    again = see(client, "next?n=5")
    assert again["waiting"] == 199
    assert first not in [one["row"]["id"] for one in again["rows"]]


def test_next_before_anything_is_taught(client):
    client.post("/v1/tasks", json={"name": "mail"})
    assert see(client, "next") == {"rows": [], "waiting": 0}
    client.post("/v1/tasks/mail/rows", json={"rows": [{"text": "a"}, {"text": "b"}]})
    found = see(client, "next?n=50")
    assert sorted(one["row"]["text"] for one in found["rows"]) == ["a", "b"]
    assert [one["guess"] for one in found["rows"]] == [None, None]


def test_the_confusion_leads_to_its_rows(digits):
    client, X, labels = digits
    found = see(client, "evaluation")
    model = FaastClassifier().fit(X[:300].astype(np.float32), labels)
    guesses = model.classes_[model.loo_proba(X[:300].astype(np.float32), labels).argmax(axis=1)]
    assert found["right"] == (guesses == labels).sum()
    assert sum(cell["rows"] for cell in found["confusion"]) == found["rows"] == 300
    for cell in found["confusion"]:
        places = (labels == cell["label"]) & (guesses == cell["predicted"])
        assert cell["rows"] == places.sum()
        if cell["label"] != cell["predicted"]:
            route = f"evaluation/rows?label={cell['label']}&predicted={cell['predicted']}"
            ids = [row["id"] for row in see(client, route)["rows"]]
            assert ids == (np.flatnonzero(places) + 1).tolist()


def test_the_only_row_of_a_class_is_confused_with_another_or_not_counted(client):
    client.post("/v1/tasks", json={"name": "mail"})
    teach(client, [("lost card", "card", None)])
    alone = see(client, "evaluation")
    assert (alone["right"], alone["confusion"]) == (0, [])
    teach(client, [("top up", "top up", None), ("top up failed", "top up", None)])
    found = see(client, "evaluation")
    cells = {(cell["label"], cell["predicted"]): cell["rows"] for cell in found["confusion"]}
    assert cells["card", "top up"] == 1
    assert found["right"] == sum(n for (label, guess), n in cells.items() if label == guess)
    shown = see(client, "evaluation/rows?label=card&predicted=top up")["rows"]
    assert [row["text"] for row in shown] == ["lost card"]


def test_the_curve_measures_the_first_rows_alone(digits):
    client, X, labels = digits
    points = see(client, "evaluation/curve")["points"]
    assert [point["rows"] for point in points] == [10, 20, 40, 80, 300]
    assert points[-1]["accuracy"] == see(client, "evaluation")["accuracy"]
    model = FaastClassifier().fit(X[:40].astype(np.float32), labels[:40])
    shares = model.loo_proba(X[:40].astype(np.float32), labels[:40])
    right = model.classes_[shares.argmax(axis=1)] == labels[:40]
    alone = np.array([(labels[:40] == label).sum() == 1 for label in labels[:40]])
    assert points[2]["right"] == (right & ~alone).sum()
    client.patch("/v1/tasks/mail/rows/15", json={"label": "0"})
    again = see(client, "evaluation/curve")["points"]
    assert again[0] == points[0]
    assert again[-1]["rows"] == 300


def test_each_state_has_its_own_review(mail):
    before = see(mail, "evaluation")
    teach(mail, [("a card at last", "card", None)])
    after = see(mail, "evaluation")
    assert (before["rows"], after["rows"]) == (5, 6)
    assert after["state"] == state_of(mail) != before["state"]
    for what in ("evaluation", "evaluation/curve", "suspects"):
        mail.post("/v1/tasks", json={"name": "empty"})
        assert mail.get(f"/v1/tasks/empty/{what}").status_code == 409
