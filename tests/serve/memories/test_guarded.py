"""Who may do what, and what hostile requests are answered with; in OpenAI's shape where it is."""

import re

import openai
import pytest
from starlette.testclient import TestClient

from faast.serve.access import limits
from faast.serve.access.tokens import Scope, TokenFile
from faast.serve.memories.app import create_memory_app
from faast.serve.memories.errors import has_their_shape
from faast.serve.memories.scopes import SCOPES
from faast.serve.problems import MEDIA_TYPE
from tests.serve.memories.conftest import serving, speaking
from tests.serve.memories.test_completions import complete

JSON = {"content-type": "application/json"}
OPENAI = ("message", "type", "param", "code")


@pytest.fixture
def guarded(tmp_path, backbone):
    """Return a client and a secret of each scope, of a folder with one memory."""
    with serving(tmp_path, backbone) as http:
        http.post("/v1/memories", json={"name": "facts", "kind": "recall"})
        tokens = TokenFile(tmp_path)
        yield http, {scope: tokens.create(f"{scope}-desk", scope) for scope in Scope}


def bearing(secret):
    return {"authorization": f"Bearer {secret}"}


def assert_error(answer, status):
    assert answer.status_code == status, answer.text
    if has_their_shape(answer.request.url.path):
        assert tuple(answer.json()["error"]) == OPENAI
        assert answer.json().keys() == {"error"}
    else:
        assert answer.headers["content-type"] == MEDIA_TYPE


def test_every_route_has_a_scope_and_refuses_whoever_has_less(guarded):
    http, secrets = guarded
    admin = bearing(secrets[Scope.ADMIN])
    document = http.get("/openapi.json", headers=admin).json()
    routes = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    tables = {re.sub(r":path\}", "}", route): scope for route, scope in SCOPES.items()}
    assert {f"{method} {path}" for method, path in routes} == set(tables)
    for method, template in routes:
        if "health" in template or template == "/":
            continue
        path = re.sub(r"\{\w+\}", "facts", template)
        assert_error(http.request(method, path), 401)
        assert_error(http.request(method, path, headers=bearing("wrong")), 401)
        for scope, secret in secrets.items():
            answer = http.request(method, path, headers=bearing(secret))
            if scope.includes(tables[f"{method} {template}"]):
                assert answer.status_code not in (401, 403)
            else:
                assert_error(answer, 403)


def test_the_first_address_says_what_is_served_and_needs_no_token(guarded):
    http, _ = guarded
    shown = http.get("/").json()
    assert shown["name"] == "faast memories"
    listed = {route: scope for scope, routes in shown["routes"].items() for route in routes}
    open_to_all = {route for route, scope in listed.items() if scope == "none"}
    assert open_to_all == {"GET /", "GET /v2/health/live", "GET /v2/health/ready"}
    assert listed == SCOPES | dict.fromkeys(open_to_all, "none")
    assert not re.search("facts|stories", http.get("/").text)
    assert http.get(shown["memories"]).status_code == 401


def test_the_client_of_openai_sends_a_token(guarded):
    http, secrets = guarded
    assert complete(speaking(http, secrets[Scope.ASK]), "facts", "the king").choices
    with pytest.raises(openai.AuthenticationError) as caught:
        complete(speaking(http, "wrong"), "facts", "the king")
    assert caught.value.type == "authentication_error"


def test_other_machines_need_a_token(tmp_path, backbone):
    with pytest.raises(ValueError, match="faast serve token create"):
        create_memory_app(tmp_path, backbone, hosts=["example.org"])


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/memories"])
def test_foreign_hosts_and_origins_are_refused(http, path):
    assert_error(http.get(path, headers={"host": "evil.example"}), 421)
    assert_error(http.get(path, headers={"origin": "http://evil.example"}), 403)


def test_what_is_too_large_or_too_often_is_refused(tmp_path, backbone, monkeypatch):
    secret = TokenFile(tmp_path).create("desk", "admin")
    app = create_memory_app(tmp_path, backbone, rate=0.2)
    with TestClient(app, base_url="http://127.0.0.1:8000", headers=bearing(secret)) as http:
        large = b"{" + b" " * limits.MAX_BODY
        assert_error(http.post("/v1/completions", content=large), 413)
        assert_error(http.post("/v1/memories/x/read", content=large), 413)
        answer = http.post("/v1/completions", content=b"{}")
        assert_error(answer, 429)
        assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"model": 5, "prompt": "the"}',
        b'{"model": "king"}',
        b'{"model": "king", "prompt": null}',
        b'{"model": "king", "prompt": {}}',
        b'{"model": "king", "prompt": []}',
        b'{"model": "king", "prompt": [[]]}',
        b'{"model": "king", "prompt": ["the", 5]}',
        b'{"model": "king", "prompt": [1e300]}',
        b'{"model": "king", "prompt": [-1]}',
        b'{"model": "king", "prompt": [99999999999999999999]}',
        b'{"model": "king", "prompt": "\\ud800"}',
        b'{"model": "\\ud800", "prompt": "the"}',
        b'{"model": "king", "prompt": "the", "stop": "\\ud800"}',
        b'{"model": "king", "prompt": "the", "\\ud800": 1}',
        b'{"model": "king", "prompt": "the", "temperature": NaN}',
        b'{"model": "king", "prompt": "the", "temperature": "hot"}',
        b'{"model": "king", "prompt": "the", "max_tokens": 1e9}',
        b'{"model": "king", "prompt": "the", "n": 100000}',
        b'{"model": "king", "prompt": "the", "logprobs": 1000}',
        b'{"model": "king", "prompt": "the", "stop": [""]}',
        b'{"model": "king", "prompt": "the", "stream": "yes"}',
        b'{"model": "king", "prompt": "the", "logit_bias": {"1": 5}}',
        b'{"model": "king\\u0000", "prompt": "the"}',
        b'{"model": "king", "prompt": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
def test_requests_that_make_no_sense_are_errors_of_the_request(http, body):
    answer = http.post("/v1/completions", content=body, headers=JSON)
    assert_error(answer, 404 if b"king\\u0000" in body else 400)
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert complete(speaking(http), "king", "the king", max_tokens=1).choices


@pytest.mark.parametrize(
    ("path", "given", "reason"),
    [
        ("completions", {"stop": ""}, "stop: expected at least 1 characters, got 0"),
        ("completions", {"stop": ["a"] * 5}, "expected a text, got a list; or expected at most 4"),
        ("completions", {"stop": 5}, "stop: expected a text, got 5; or expected a list, got 5"),
        ("completions", {"prompt": []}, "prompt: expected a text, got a list; or expected at"),
        ("completions", {"prompt": None}, "expected a text, got null; or expected a list, got"),
        ("completions", {"prompt": ["a", 3]}, "prompt: expected a text, got a list"),
        ("completions", {"model": 5}, "model: expected a text, got 5"),
        ("completions", {"temperature": 3}, "temperature: expected at most 2, got 3"),
        ("completions", {"n": 0.5}, "n: expected a whole number, got 0.5"),
        ("completions", {"seed": 10**30}, "seed: expected less than 9.22337203685478e+18, got a n"),
        (
            "chat/completions",
            {"messages": [{"role": "user", "content": 5}]},
            "messages/0/content: ",
        ),
    ],
)
def test_errors_name_the_place_and_no_internals(http, path, given, reason):
    body = {"model": "king", "prompt": "the"} | given
    error = http.post(f"/v1/{path}", json=body).json()["error"]
    assert reason in error["message"]
    assert not re.search(r"function|validator|0x|\[", error["message"])
    assert error["param"] == next(iter(given))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/embeddings", 404),
        ("GET", "/v1/chat/nothing", 404),
        ("GET", "/v1/completions", 405),
        ("DELETE", "/v1/models", 405),
    ],
)
def test_routes_that_are_not_there_answer_in_the_same_shape(http, method, path, status):
    answer = http.request(method, path)
    assert_error(answer, status)
    error = answer.json()["error"]
    assert error["message"] == f"there is no {method} {path}; /openapi.json lists all routes"
    assert error["type"] == "invalid_request_error"
    assert (status == 405) == ("allow" in answer.headers)


def test_a_body_without_its_content_type_is_refused_with_what_to_send(http):
    answer = http.post("/v1/completions", content=b'{"model": "king", "prompt": "the"}')
    assert_error(answer, 400)
    assert "send it with the header Content-Type: application/json" in answer.text


def test_streams_say_what_is_wrong_before_they_begin(http):
    body = {"model": "nobody", "prompt": "the", "stream": True}
    assert_error(http.post("/v1/completions", json=body), 404)


def test_answers_are_counted_with_the_status_that_they_have(http):
    answer = http.post("/v1/completions", json={"model": "king", "max_tokens": -1, "prompt": "a"})
    assert answer.status_code == 400
    shown = http.get("/metrics").text
    assert 'code="400"' in shown
    assert 'code="422"' not in shown


def test_no_text_and_no_source_is_in_the_metrics(http):
    complete(speaking(http), "king", "the castle", max_tokens=3)
    shown = http.get("/metrics").text
    assert 'faast_memory_tokens{memory="king"}' in shown
    assert "faast_generated_tokens_total" in shown
    assert 'faast_jobs{status="done"}' in shown
    assert "castle" not in shown
