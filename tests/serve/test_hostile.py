"""Requests that nobody should send are refused with a problem, and change nothing."""

import json

import pytest

from faast.serve.access.limits import MAX_BODY
from faast.serve.fields import MAX_LABEL, MAX_ROWS, MAX_TEXT
from tests.serve.conftest import state_of

GOOD = {"text": "a", "label": "b"}


def assert_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail"} <= set(problem)
    assert problem["status"] == status
    assert problem["detail"]
    return problem


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"label": "b"},
        {"text": "a", "numbers": [1.0]},
        {"picture": "aGVsbG8=", "label": "b"},
        {"text": 1, "label": "b"},
        {"text": "a", "label": ["b"]},
        {"text": "", "label": "b"},
        {"text": " \n\u200b", "label": "b"},
        {"text": "a", "label": " "},
        {"text": "a", "label": "two\nlines"},
        {"text": "a", "label": "nul\x00"},
        {"text": "half \ud800", "label": "b"},
        {"text": "a", "label": "\udfff"},
        {"text": "a", "label": "b", "source": ""},
        {"text": "a" * (MAX_TEXT + 1), "label": "b"},
        {"text": "a", "label": "b" * (MAX_LABEL + 1)},
        {"text": "a", "label": "b", "id": 1},
        "a,b",
        None,
    ],
    ids=repr,
)
def test_a_bad_row_is_refused_with_all_rows_of_its_request(mail, row):
    before = state_of(mail)
    body = json.dumps({"rows": [GOOD, row]})
    problem = assert_problem(
        mail.post(
            "/v1/tasks/mail/rows", content=body, headers={"content-type": "application/json"}
        ),
        422,
    )
    assert problem["errors"][0]["at"].startswith("body/rows/1")
    assert state_of(mail) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b'{"rows": []}', 422),
        (b"\xff\xfe", 400),
        (b'{"rows": ' + b"[" * 100_000, 422),
        (json.dumps({"rows": [GOOD] * (MAX_ROWS + 1)}).encode(), 422),
        (b" " * (MAX_BODY + 1), 413),
    ],
    ids=["empty", "cut", "list", "no rows", "no text", "deep", "many", "huge"],
)
def test_a_bad_body_is_refused(mail, body, status):
    before = state_of(mail)
    json_type = {"content-type": "application/json"}
    answer = mail.post("/v1/tasks/mail/rows", content=body, headers=json_type)
    assert_problem(answer, answer.status_code)
    assert answer.status_code in (status, 400, 422)
    assert state_of(mail) == before


def test_a_huge_body_without_a_length_is_refused(mail):
    parts = (b" " * 2**20 for _ in range(MAX_BODY // 2**20 + 1))
    assert_problem(mail.post("/v1/tasks/mail/rows", content=parts), 413)


@pytest.mark.parametrize(
    "name",
    ["", "..", "../up", "a/b", "a\\b", "/etc/passwd", ".hidden", "a.b", "a\n", "é", "a" * 65],
)
def test_a_name_is_never_a_path(client, tmp_path, name):
    before = sorted(tmp_path.parent.rglob("*"))
    assert_problem(client.post("/v1/tasks", json={"name": name}), 422)
    assert sorted(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize("path", ["/v1/tasks/..%2Fup", "/v1/tasks/nope", "/v1/nope", "/%2e%2e/x"])
def test_what_is_not_there_is_not_found(mail, path):
    assert_problem(mail.get(path), 404)
    assert_problem(mail.delete(path), 404)


@pytest.mark.parametrize("number", ["0", "-1", "99", str(2**63), str(10**30)])
def test_unknown_rows_are_not_found(mail, number):
    path = f"/v1/tasks/mail/rows/{number}"
    for answer in (mail.get(path), mail.delete(path), mail.patch(path, json={"label": "x"})):
        assert_problem(answer, 404)
        assert answer.json()["detail"].startswith(f"there is no row {number};")


@pytest.mark.parametrize("number", ["x", "1.5", "1;drop", "%00"])
def test_a_row_that_is_no_number_is_refused(mail, number):
    assert_problem(mail.delete(f"/v1/tasks/mail/rows/{number}"), 422)


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 10**6}, {"after": -1}, {"after": 2**63}, {"after": "x"}]
)
def test_pages_have_limits(mail, query):
    assert_problem(mail.get("/v1/tasks/mail/rows", params=query), 422)


def test_a_task_without_rows_says_what_to_do(client):
    client.post("/v1/tasks", json={"name": "new"})
    for answer in (
        client.post("/v1/tasks/new/ask", json={"texts": ["a"]}),
        client.post("/v1/classify", json={"model": "new", "input": "a"}),
        client.get("/v1/tasks/new/model"),
        client.get("/v1/tasks/new/evaluation"),
        client.post("/v1/tasks/new/undo"),
    ):
        assert_problem(answer, 409)
    assert_problem(client.post("/v1/classify", json={"model": "no", "input": "a"}), 404)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "127.0.0.1@x"])
def test_another_host_name_is_refused(mail, host):
    assert_problem(mail.get("/v1/tasks", headers={"host": host}), 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8000"])
def test_names_of_this_machine_are_taken(mail, host):
    assert mail.get("/v1/tasks", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9"])
def test_pages_of_other_sites_cannot_change_anything(mail, origin):
    before = state_of(mail)
    headers = {"origin": origin}
    assert_problem(mail.delete("/v1/tasks/mail", headers=headers), 403)
    assert_problem(mail.post("/v1/tasks/mail/undo", headers=headers), 403)
    assert state_of(mail) == before
    own = {"origin": "http://127.0.0.1:8000"}
    assert mail.post("/v1/tasks/mail/undo", headers=own).status_code == 200


def test_every_answer_forbids_foreign_scripts(mail):
    for answer in (mail.get("/"), mail.get("/v1/tasks"), mail.get("/nope")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_errors_do_not_repeat_texts(mail):
    secret = "a text that nobody should find in an error"
    for row in ({"text": secret, "label": 1}, {"text": "a", "label": [secret]}, secret):
        answer = mail.post("/v1/tasks/mail/rows", json={"rows": [row]})
        assert_problem(answer, 422)
        assert secret not in answer.text
