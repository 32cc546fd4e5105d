"""What the routes answer; any state is bit for bit that of a fit on the rows that are left."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import faast
from faast import TextClassifier
from faast.serve.tasks.state import TaskState
from tests.serve.conftest import ROWS, serving, state_of, teach


def fitted(rows):
    if not rows:
        return TaskState(TextClassifier()).hash
    texts, labels = zip(*(row[:2] for row in rows), strict=True)
    return TaskState(TextClassifier().fit(list(texts), list(labels))).hash


def rows_of(client):
    return [
        (row["text"], row["label"], row["source"])
        for row in client.get("/v1/tasks/mail/rows").json()["rows"]
    ]


def test_a_taught_task_answers_with_probabilities_and_a_runner_up(mail):
    answer = mail.post("/v1/tasks/mail/ask", json={"texts": ["my card was lost", "top up"]}).json()
    first, second = answer["answers"]
    assert (first["label"], second["label"]) == ("card", "top up")
    model = TextClassifier().fit([row[0] for row in ROWS], [row[1] for row in ROWS])
    expected = model.predict_proba(["my card was lost", "top up"])[0]
    assert list(first["probabilities"].values()) == expected.tolist()
    assert list(first["probabilities"]) == model.classes_.tolist()
    assert first["probability"] == expected.max()
    assert first["runner_up_probability"] == sorted(expected)[-2]
    assert answer["state"] == state_of(mail)


def test_one_class_has_no_runner_up(client):
    client.post("/v1/tasks", json={"name": "mail"})
    teach(client, ROWS[:1])
    (answer,) = client.post("/v1/tasks/mail/ask", json={"texts": ["x"]}).json()["answers"]
    assert (answer["label"], answer["probability"], answer["runner_up"]) == ("card", 1.0, None)


def test_correcting_forgetting_and_undo_leave_a_fit_on_the_rows_that_are_left(mail):
    rows = list(ROWS)
    assert state_of(mail) == fitted(rows)
    corrected = mail.patch("/v1/tasks/mail/rows/5", json={"label": "card"}).json()
    changed = [*rows[:4], ("where is my refund", "card", "bob")]
    assert corrected["state"] == state_of(mail) == fitted(changed)
    assert mail.get("/v1/tasks/mail/classes").json() == {"card": 3, "top up": 2}
    assert mail.delete("/v1/tasks/mail/rows/1").json()["state"] == fitted(changed[1:])
    assert mail.post("/v1/tasks/mail/undo").json()["undoes"] == 3
    assert state_of(mail) == fitted(changed)
    assert mail.get("/v1/tasks/mail/rows/1").json()["text"] == ROWS[0][0]
    mail.post("/v1/tasks/mail/undo")
    mail.post("/v1/tasks/mail/undo")
    assert mail.get("/v1/tasks/mail").json()["rows"] == 0
    assert mail.post("/v1/tasks/mail/undo").status_code == 409
    kinds = [change["kind"] for change in mail.get("/v1/tasks/mail/history").json()["changes"]]
    assert kinds == ["undo", "undo", "undo", "forget", "correct", "teach", "start"]


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["teach", "correct", "forget", "undo"]), st.integers(0, 4)),
    max_size=12,
)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ACTIONS)
def test_any_history_is_a_fit_on_the_rows_that_are_left_also_after_a_start(
    tmp_path_factory, actions
):
    folder = tmp_path_factory.mktemp("tasks")
    with serving(folder) as client:
        client.post("/v1/tasks", json={"name": "mail"})
        for kind, choice in actions:
            ids = [row["id"] for row in client.get("/v1/tasks/mail/rows").json()["rows"]]
            if kind == "teach":
                teach(client, [ROWS[choice]])
            elif kind == "undo":
                assert client.post("/v1/tasks/mail/undo").status_code in (200, 409)
            elif ids:
                path = f"/v1/tasks/mail/rows/{ids[choice % len(ids)]}"
                if kind == "correct":
                    client.patch(path, json={"label": ROWS[choice][1]})
                else:
                    assert client.delete(path).status_code == 200
        state, rows = state_of(client), rows_of(client)
        assert state == fitted(rows)
    with serving(folder) as client:
        assert (state_of(client), rows_of(client)) == (state, rows)


def test_a_forgotten_source_is_in_no_file_and_the_certificate_says_so(mail, tmp_path):
    assert mail.get("/v1/tasks/mail/sources").json() == {"ann": 2, "bob": 2}
    before = state_of(mail)
    mail.patch("/v1/tasks/mail/rows/5", json={"label": "money back"})
    mail.post("/v1/tasks/mail/undo")
    certificate = mail.post("/v1/tasks/mail/forget-source", json={"source": "bob"}).json()
    left = [row for row in ROWS if row[2] != "bob"]
    assert certificate["rows_forgotten"] == 2
    assert certificate["state_before"] == before
    assert certificate["state_after"] == state_of(mail) == fitted(left)
    assert rows_of(mail) == left
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for erased in (b"refund", b"card is gone", b"money back", b"bob"):
        assert erased not in files
    assert b"I lost my card" in files
    assert mail.post("/v1/tasks/mail/undo").status_code == 409
    assert mail.post("/v1/tasks/mail/forget-source", json={"source": "bob"}).status_code == 404


def test_row_numbers_are_never_used_again(mail):
    mail.post("/v1/tasks/mail/forget-source", json={"source": "bob"})
    assert teach(mail, ROWS[4:])["ids"] == [6]


def test_rows_and_history_come_in_pages(mail):
    page = mail.get("/v1/tasks/mail/rows", params={"limit": 2}).json()
    assert [row["id"] for row in page["rows"]] == [1, 2]
    page = mail.get("/v1/tasks/mail/rows", params={"limit": 3, "after": page["next"]}).json()
    assert ([row["id"] for row in page["rows"]], page["next"]) == ([3, 4, 5], None)
    of_ann = mail.get("/v1/tasks/mail/rows", params={"source": "ann"}).json()["rows"]
    assert [row["id"] for row in of_ann] == [1, 3]
    latest = mail.get("/v1/tasks/mail/history", params={"limit": 1}).json()
    assert (latest["changes"][0]["kind"], latest["next"]) == ("teach", 1)
    first = mail.get("/v1/tasks/mail/history", params={"before": 1}).json()
    assert [change["kind"] for change in first["changes"]] == ["start"]


def test_the_evaluation_is_leave_one_out(mail):
    found = mail.get("/v1/tasks/mail/evaluation").json()
    texts, labels = [row[0] for row in ROWS], [row[1] for row in ROWS]
    model = TextClassifier().fit(texts, labels)
    right = model.classes_[model.loo_proba(texts, labels).argmax(axis=1)] == labels
    right[4] = False  # the only row of its class
    assert (found["rows"], found["right"]) == (5, int(right.sum()))
    assert found["accuracy"] == right.mean()
    assert found["interval"][0] < right.mean() < found["interval"][1]
    assert found["classes"]["refund"] == {"rows": 1, "right": 0}


def test_the_exported_file_predicts_the_same(mail, tmp_path):
    answer = mail.get("/v1/tasks/mail/model")
    assert 'filename="mail.faast"' in answer.headers["content-disposition"]
    (tmp_path / "copy.faast").write_bytes(answer.content)
    model = faast.load(tmp_path / "copy.faast")
    asked = mail.post("/v1/tasks/mail/ask", json={"texts": ["lost"]}).json()["answers"][0]
    assert model.predict_proba(["lost"])[0].tolist() == list(asked["probabilities"].values())


def test_classify_answers_in_the_shape_of_vllm(mail):
    answer = mail.post("/v1/classify", json={"model": "mail", "input": ["lost card", "refund"]})
    found = answer.json()
    assert set(found) == {"id", "object", "created", "model", "data", "classes", "usage"}
    assert [datum["label"] for datum in found["data"]] == ["card", "refund"]
    assert [datum["index"] for datum in found["data"]] == [0, 1]
    for datum in found["data"]:
        assert found["classes"][datum["probs"].index(max(datum["probs"]))] == datum["label"]
        assert datum["num_classes"] == len(datum["probs"]) == 3
    one = mail.post("/v1/classify", json={"model": "mail", "input": "lost card"}).json()
    assert one["data"][0]["probs"] == pytest.approx(found["data"][0]["probs"])
    cards = mail.get("/v1/models").json()["data"]
    assert [(card["id"], card["classes"]) for card in cards] == [("mail", found["classes"])]


def test_tasks_are_created_listed_and_deleted(mail, tmp_path):
    mail.post("/v1/tasks", json={"name": "Other-1"})
    listed = mail.get("/v1/tasks").json()
    assert [(task["name"], task["rows"]) for task in listed["tasks"]] == [
        ("Other-1", 0),
        ("mail", 5),
    ]
    assert mail.post("/v1/tasks", json={"name": "mail"}).status_code == 409
    assert mail.delete("/v1/tasks/mail").status_code == 204
    assert mail.get("/v1/tasks/mail").status_code == 404
    assert not list(tmp_path.glob("*mail*"))


def test_a_model_of_the_command_line_is_a_task_and_other_files_are_named(tmp_path):
    model = TextClassifier().fit([row[0] for row in ROWS], [row[1] for row in ROWS])
    model.save(tmp_path / "learned.faast")
    faast.FaastClassifier().fit([[0.0, 1.0], [1.0, 0.0]], ["a", "b"]).save(tmp_path / "table.faast")
    faast.FaastRegressor().fit([[0.0], [1.0]], [1.0, 2.0]).save(tmp_path / "regressor.faast")
    model.compact().save(tmp_path / "small.faast")
    (tmp_path / "damaged.faast").write_bytes(b"no model")
    (tmp_path / "wrong.faast-log").write_bytes(b"no log")
    with serving(tmp_path) as client:
        listed = client.get("/v1/tasks").json()
        assert [(task["name"], task["kind"]) for task in listed["tasks"]] == [
            ("learned", "texts"),
            ("table", "numbers"),
        ]
        assert set(listed["unserved"]) == {"regressor", "small", "damaged", "wrong"}
        assert "classifiers" in listed["unserved"]["regressor"]
        teach(client, ROWS[:1], task="learned")
        assert state_of(client, "learned") == fitted([*ROWS, ROWS[0]])
        assert client.get("/v1/tasks/learned/rows").json()["rows"][0]["id"] == 1


@pytest.mark.parametrize("encoder", ["minilm-that-is-not", "pixels"])
def test_an_encoder_that_cannot_serve_is_refused(client, encoder):
    answer = client.post("/v1/tasks", json={"name": "a", "encoder": encoder})
    assert answer.status_code == 422
    assert encoder in answer.json()["detail"]
    assert client.get("/v1/tasks").json()["tasks"] == []


def test_the_openapi_document_names_every_route(client):
    document = client.get("/openapi.json").json()
    assert {"/v1/tasks", "/v1/tasks/{task}/ask", "/v1/classify", "/v1/models"} <= set(
        document["paths"]
    )
    for path in document["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["4XX"]["content"]
