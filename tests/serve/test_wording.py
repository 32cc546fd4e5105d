"""Errors say in plain words what was expected and what was given, and repeat no text."""

import json

import pytest

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("path", "body", "headers", "said"),
    [
        ("tasks", b'{"name": "x"}', FORM, "body: it was not sent as JSON; send it with the header"),
        ("tasks", b'{"name": "x"}', {}, "send it with the header Content-Type: application/json"),
        ("tasks", b"", JSON, "body: it is missing"),
        ("tasks", b"[]", JSON, "body: expected an object, got a list"),
        ("tasks", b'{"name": "x"', JSON, "body: it is no JSON (Expecting ',' delimiter at chara"),
        ("tasks", b'{"name": "\xff"}', JSON, "the body is not in UTF-8"),
        ("tasks", b'{"name": ' + b"9" * 5_000 + b"}", JSON, "may have too many digits"),
        ("tasks", b'{"name": ' + b"[" * 50_000, JSON, "nested too deeply"),
        ("tasks", {}, JSON, "body/name: it is missing"),
        ("tasks", {"name": 5}, JSON, "body/name: expected a text, got 5"),
        ("tasks", {"name": "a/b"}, JSON, "named in letters a to z or A to Z"),
        ("tasks", {"name": "x", "kind": "songs"}, JSON, "'numbers', got another text"),
        ("tasks", {"name": "x", "colour": 1}, JSON, "body/colour: it is not known here; leave it"),
        ("tasks", {"name": "x", "keep_rows": 1}, JSON, "expected true or false, got 1"),
        ("tasks/mail/rows", {"rows": []}, JSON, "rows: expected at least 1 items, got 0"),
        ("tasks/mail/rows", {"rows": [{"text": "x"}] * 1001}, JSON, "at most 1000 items, got 1001"),
        (
            "tasks/mail/rows",
            {"rows": [{"text": "x" * 20_001}]},
            JSON,
            "characters, got 20001",
        ),
        ("tasks/mail/rows", {"rows": [{}]}, JSON, "rows/0: a row has one of text, picture and num"),
        ("tasks/mail/rows", b'{"rows": [{"text": "\\ud800"}]}', JSON, "send whole characters"),
        ("tasks/mail/rows", b'{"rows": [{"numbers": [NaN]}]}', JSON, "a finite number, got NaN"),
        ("tasks/mail/rows", b'{"rows": [{"numbers": [-1e999]}]}', JSON, "got minus infinity"),
        ("tasks/mail/rows", {"rows": [{"numbers": [10**400]}]}, JSON, "got a number beyond 1e+15"),
        ("tasks/mail/rows", {"rows": [{"numbers": ["1"]}]}, JSON, "expected a number, got a text"),
        (
            "../v2/models/mail/infer",
            {"inputs": [{"name": "x"}]},
            JSON,
            "'name' must be one of 'text'",
        ),
        ("../v2/models/mail/infer", {"inputs": [{}]}, JSON, "its member 'name' is missing"),
    ],
)
def test_errors_say_what_was_expected_and_what_was_given(mail, path, body, headers, said):
    content = body if isinstance(body, bytes) else json.dumps(body)
    answer = mail.post(f"/v1/{path}", content=content, headers=headers)
    assert 400 <= answer.status_code < 500
    assert said in answer.json()["detail"]
    assert "nput should" not in answer.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "query/limit: expected at least 1, got another number"),
        ("limit=x", "query/limit: expected a whole number, got a text"),
        ("waiting=perhaps", "query/waiting: expected true or false, got a text"),
        (f"label={'x' * 201}", "query/label: expected at most 200 characters, got 201"),
    ],
)
def test_errors_of_addresses_are_as_plain(mail, query, said):
    answer = mail.get(f"/v1/tasks/mail/rows?{query}")
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_a_method_that_an_address_does_not_take_is_named(mail):
    answer = mail.put("/v1/tasks")
    assert answer.status_code == 405
    assert answer.headers["allow"]
    assert answer.json()["detail"] == "there is no PUT /v1/tasks; /openapi.json lists all routes"
