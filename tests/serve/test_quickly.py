"""Quick questions are answered in the event loop, others in a thread."""

from __future__ import annotations

import base64

import pytest

from faast.serve.routes.quickly import LONGEST, is_quick
from tests.serve.test_histories import picture

TEXT = "my card was stolen"


def quick(client, text=TEXT, n_rows=1, task="mail"):
    return is_quick(client.app.state.folder.task(task), n_rows, n_rows * len(text))


def ask(client, texts, task="mail", **more):
    response = client.post(f"/v1/tasks/{task}/ask", json={"texts": texts, **more})
    assert response.status_code == 200
    return response.json()["answers"]


def test_a_question_is_quick_once_the_weights_are_solved(mail):
    assert not quick(mail)
    ask(mail, [TEXT])
    assert quick(mail)
    mail.post("/v1/tasks/mail/rows", json={"rows": [{"text": "hello there", "label": "greeting"}]})
    assert not quick(mail)


@pytest.mark.parametrize(("text", "n_rows"), [(TEXT, 3_000), ("x" * (LONGEST + 1), 1)])
def test_a_large_question_is_not_quick(mail, text, n_rows):
    ask(mail, [TEXT])
    assert not quick(mail, text, n_rows)


def test_where_a_question_is_answered_changes_nothing(mail):
    (in_thread,) = ask(mail, [TEXT])
    (in_loop,) = ask(mail, [TEXT])
    among_many, *_ = ask(mail, [TEXT, *["word " * 3_000] * 3])
    assert in_thread["label"] == in_loop["label"] == among_many["label"]
    assert in_thread == in_loop
    assert among_many["probabilities"] == pytest.approx(in_loop["probabilities"], rel=1e-12)


def test_pictures_are_never_quick(client):
    client.post("/v1/tasks", json={"name": "animals", "kind": "pictures"})
    shown = [base64.b64encode(picture(i)).decode() for i in range(2)]
    rows = [{"picture": shown[i], "label": label} for i, label in enumerate(["cat", "dog"])]
    client.post("/v1/tasks/animals/rows", json={"rows": rows})
    assert client.post("/v1/tasks/animals/ask", json={"pictures": shown}).status_code == 200
    assert not quick(client, task="animals")


def test_an_error_is_the_same_in_both_places(mail):
    numbers = {"numbers": [[1.0, 2.0]]}
    before = mail.post("/v1/tasks/mail/ask", json=numbers)
    ask(mail, [TEXT])
    after = mail.post("/v1/tasks/mail/ask", json=numbers)
    assert before.status_code == after.status_code == 422
    assert before.json() == after.json()
