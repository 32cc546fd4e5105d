"""What is taken away is what was taught, and can be brought back without loss."""

import base64
import csv
import io
import json
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import faast
from faast import FaastClassifier, TextClassifier
from tests.serve.conftest import ROWS, state_of, teach
from tests.serve.test_jobs import picture, uploaded

HARMLESS = ["text", "O'Brien", "'tis", "''", 'a "quoted", word', "a\nb\r\nc", "ünï©ode", " outer "]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''@x", "\t=1", "\r=1", "\uff1d1", "-"]

TEXTS = st.sampled_from(HARMLESS + FORMULAS) | st.text(max_size=20).filter(
    lambda text: any(c.isprintable() and not c.isspace() for c in text)
)
NAMES = st.sampled_from(
    ["card", "=1", "'+x", "top up", "-5", "@a", "1.0", "true", " a ", "a\u0301"]
)


def rows_of(client, task="mail"):
    rows = client.get(f"/v1/tasks/{task}/rows", params={"limit": 1000}).json()["rows"]
    for row in rows:
        del row["id"]
        if row["picture"]:
            row["picture"] = client.get(row["picture"]).content
    return rows


def brought_back(client, format, kind="texts"):
    """Export the task, upload that to a new one, and check that it is the same."""
    answer = client.get(f"/v1/tasks/mail/export?format={format}")
    assert answer.status_code == 200, answer.text
    client.delete("/v1/tasks/copy")
    client.post("/v1/tasks", json={"name": "copy", "kind": kind})
    job = uploaded(client, answer.content, format, "copy")
    assert job["status"] == "done", job
    assert rows_of(client, "copy") == rows_of(client)
    assert state_of(client, "copy") == state_of(client)
    return answer


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(TEXTS, NAMES | st.none(), NAMES | st.none()), min_size=1, max_size=9))
def test_exported_texts_come_back_without_loss(client, rows):
    client.delete("/v1/tasks/mail")
    client.post("/v1/tasks", json={"name": "mail"})
    teach(client, rows)
    for number, (_, label, _) in enumerate(rows, start=1):
        if label is not None and number % 2:
            client.post(f"/v1/tasks/mail/rows/{number}/confirm")
    exported = brought_back(client, "csv")
    for cells in csv.reader(io.StringIO(exported.text, newline="")):
        assert not any(cell[:1] in set("=+-@\t\r\uff1d") for cell in cells)
    exported = brought_back(client, "jsonl")
    lines = [json.loads(line) for line in exported.text.split("\n") if line]
    assert [line["text"] for line in lines] == [row[0] for row in rows]


def test_labels_of_requests_have_the_form_that_uploads_give_them(mail):
    composed, apart = "caf\u00e9", "cafe\u0301"
    teach(mail, [("a", " card ", " ann"), ("b", composed, None), ("c", f"{apart} ", apart)])
    assert mail.get("/v1/tasks/mail/classes").json() == {
        "card": 3, "top up": 2, "refund": 1, composed: 2,
    }  # fmt: skip
    assert mail.get("/v1/tasks/mail/sources").json() == {"ann": 3, "bob": 2, composed: 1}
    for asked in ({"label": f" {apart}"}, {"source": f"{apart} "}):
        found = mail.get("/v1/tasks/mail/rows", params=asked).json()["rows"]
        assert {row["label"] for row in found} == {composed}
    cell = {"label": " card", "predicted": "card "}
    assert mail.get("/v1/tasks/mail/evaluation/rows", params=cell).json()["rows"]
    brought_back(mail, "csv")
    brought_back(mail, "jsonl")
    renaming = {"label": apart, "to": " top up "}
    assert mail.post("/v1/tasks/mail/classes/merge", json={
        "labels": [apart], "into": " top up ",
    }).status_code == 200  # fmt: skip
    assert mail.post("/v1/tasks/mail/classes/rename", json=renaming).status_code == 404
    blank = mail.patch("/v1/tasks/mail/rows/1", json={"label": " "})
    assert blank.status_code == 422


def test_an_export_names_its_file_and_its_columns(mail):
    answer = mail.get("/v1/tasks/mail/export?format=csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="mail.csv"'
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.splitlines()[:2] == [
        "text,label,source,confirmed",
        "I lost my card,card,ann,false",
    ]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_pictures_and_numbers_come_back_without_loss(client, format):
    client.post("/v1/tasks", json={"name": "mail", "kind": "pictures"})
    rows = [{"picture": base64.b64encode(picture(40)).decode(), "label": "grey"}]
    assert client.post("/v1/tasks/mail/rows", json={"rows": rows}).status_code == 201
    brought_back(client, format, "pictures")
    client.delete("/v1/tasks/mail")
    client.post("/v1/tasks", json={"name": "mail", "kind": "numbers"})
    drawn = np.random.default_rng(0).standard_normal((5, 3)) * 1e-3
    rows = [{"numbers": row, "label": f"l{i % 2}"} for i, row in enumerate(drawn.tolist())]
    assert client.post("/v1/tasks/mail/rows", json={"rows": rows}).status_code == 201
    brought_back(client, format, "numbers")


@pytest.mark.parametrize(
    ("names", "header"),
    [
        (["width", "id"], "width,id,label,source,confirmed"),
        (["width", "source"], "numbers,label,source,confirmed"),
        (["=1+1", "width"], "numbers,label,source,confirmed"),
    ],
)
def test_named_columns_of_numbers_come_back_without_loss(client, tmp_path, names, header):
    model = FaastClassifier().fit(np.array([[10.0, 1.0], [1.0, 10.0]]), ["flat", "tall"])
    model.feature_names_in_ = np.array(names, dtype=object)
    model.save(tmp_path / "shapes.faast")
    content = (tmp_path / "shapes.faast").read_bytes()
    client.post("/v1/import?name=mail", content=content)
    client.post("/v1/import?name=copy", content=content)
    rows = [{"numbers": [0.1, 8.0], "label": "tall", "source": "ann"}]
    assert client.post("/v1/tasks/mail/rows", json={"rows": rows}).status_code == 201
    exported = client.get("/v1/tasks/mail/export?format=csv")
    assert exported.text.splitlines()[0] == header
    assert uploaded(client, exported.content, task="copy")["status"] == "done"
    assert rows_of(client, "copy") == rows_of(client)


def test_an_empty_task_exports_no_rows(client):
    client.post("/v1/tasks", json={"name": "mail"})
    assert client.get("/v1/tasks/mail/export?format=csv").text == "text,label,source,confirmed\r\n"
    assert client.get("/v1/tasks/mail/export?format=jsonl").text == ""


def test_rows_that_are_not_kept_are_not_exported(mail):
    mail.patch("/v1/tasks/mail", json={"keep_rows": False})
    refused = mail.get("/v1/tasks/mail/export?format=csv")
    assert refused.status_code == 409
    assert "download its model" in refused.json()["detail"]


def test_an_imported_model_answers_the_same_and_goes_on_learning(mail):
    model = mail.get("/v1/tasks/mail/model").content
    told = mail.post("/v1/import?name=copy", content=model)
    assert told.status_code == 201
    assert (told.json()["rows"], told.json()["state"]) == (len(ROWS), state_of(mail))
    question = {"texts": ["where is my card"]}
    answers = [mail.post(f"/v1/tasks/{task}/ask", json=question).json() for task in TASKS]
    assert answers[0] == answers[1]
    teach(mail, [("my refund is late", "refund", None)], "copy")
    rows = [*ROWS, ("my refund is late", "refund", None)]
    fitted = TextClassifier().fit([row[0] for row in rows], [row[1] for row in rows])
    expected = fitted.predict_proba(["my refund"])[0].tolist()
    (answer,) = mail.post("/v1/tasks/copy/ask", json={"texts": ["my refund"]}).json()["answers"]
    assert list(answer["probabilities"].values()) == expected


TASKS = ["mail", "copy"]


def test_forged_cut_and_foreign_models_are_refused_and_leave_nothing(mail, tmp_path):
    model = mail.get("/v1/tasks/mail/model").content
    forged = bytearray(model)
    forged[-9] ^= 1
    regressor = tmp_path / "other"
    faast.FaastRegressor().fit(np.eye(3), np.arange(3.0)).save(regressor)
    before = sorted(path.name for path in tmp_path.iterdir())
    for body in (b"", b"text", model[:-5], bytes(forged), regressor.read_bytes()):
        refused = mail.post("/v1/import?name=copy", content=body)
        assert refused.status_code == 422, refused.text
        assert str(tmp_path) not in refused.json()["detail"]
        assert "jobs" not in refused.json()["detail"]
    assert mail.get("/v1/tasks/copy").status_code == 404
    assert mail.post("/v1/import?name=mail", content=model).status_code == 409
    for name in ("../mail", "a/b", "", "x" * 65):
        assert mail.post("/v1/import", params={"name": name}, content=model).status_code == 422
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({*before, "jobs"})
    assert list((tmp_path / "jobs").iterdir()) == []


def test_the_onnx_graph_predicts_what_the_task_answers(mail, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    path = tmp_path / "mail.onnx"
    path.write_bytes(mail.get("/v1/tasks/mail/onnx").content)
    model = TextClassifier().fit([row[0] for row in ROWS], [row[1] for row in ROWS])
    features = model.encode(["where is my card"])
    session = onnxruntime.InferenceSession(str(path))
    (name,) = [given.name for given in session.get_inputs()]
    outputs = session.run(None, {name: np.asarray(features, np.float32)})
    (answer,) = mail.post("/v1/tasks/mail/ask", json={"texts": ["where is my card"]}).json()[
        "answers"
    ]
    assert any(
        np.allclose(output, list(answer["probabilities"].values()), atol=1e-5)
        for output in outputs
        if getattr(output, "ndim", 0) == 2
    )


def test_without_onnx_the_error_says_what_to_install(mail, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    refused = mail.get("/v1/tasks/mail/onnx")
    assert refused.status_code == 501
    assert "onnx" in refused.json()["detail"]


def test_an_import_replaces_no_file_that_was_put_into_the_folder(mail, tmp_path):
    model = mail.get("/v1/tasks/mail/model").content
    (tmp_path / "mine.faast").write_bytes(b"somebody's file")
    assert mail.post("/v1/import?name=mine", content=model).status_code == 409
    assert (tmp_path / "mine.faast").read_bytes() == b"somebody's file"
