"""Tokens: whoever shows none, a wrong one, or one of too small a scope, gets nothing done."""

import asyncio
import base64
import json
import re
import time
from types import SimpleNamespace

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient
from typer.testing import CliRunner

from faast.cli.main import app
from faast.serve import create_app
from faast.serve.access import limits
from faast.serve.access.limits import (
    AT_ONCE_PER_CLIENT,
    MAX_BODY,
    MAX_UPLOAD,
    RATE,
    SLOWEST,
    Places,
    RateLimit,
    limit_body,
)
from faast.serve.access.scopes import OPEN, SCOPES
from faast.serve.access.tokens import Scope, TokenFile
from faast.serve.page import PAGE_FILES
from faast.serve.problems import RequestError
from tests.serve.conftest import teach
from tests.serve.test_hostile import assert_problem

UNDOCUMENTED = {f"GET {path}" for path in PAGE_FILES}
"""Files of the page, which the OpenAPI document leaves out."""


@pytest.fixture
def secrets(tmp_path):
    """Return a secret of each scope, for the folder that `mail` serves."""
    tokens = TokenFile(tmp_path)
    return {scope: tokens.create(f"{scope}-desk", scope) for scope in Scope}


def bearing(secret):
    return {"authorization": f"Bearer {secret}"}


def documented(client, headers=None):
    document = client.get("/openapi.json", headers=headers).json()
    return [
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
    ]


def test_every_route_has_a_scope_and_every_scope_a_route(client):
    """A new route belongs into the table in `faast.serve.access.scopes`."""
    routes = {f"{method} {path}" for method, path in documented(client)} | UNDOCUMENTED
    assert routes == set(SCOPES)
    assert {f"GET {path}" for path in OPEN} <= routes


def test_every_route_refuses_whoever_has_no_token_or_too_small_a_scope(mail, secrets):
    admin = bearing(secrets[Scope.ADMIN])
    before = mail.get("/v1/tasks", headers=admin).json()
    for method, template in documented(mail, admin):
        path = re.sub(r"\{\w+\}", "1", re.sub(r"\{(task|model)\}", "mail", template))
        if template in OPEN:
            assert mail.request(method, path).status_code == 200
            continue
        assert_problem(mail.request(method, path), 401)
        assert_problem(mail.request(method, path, headers=bearing("wrong")), 401)
        needed = SCOPES[f"{method} {template}"]
        for scope, secret in secrets.items():
            if not scope.includes(needed):
                assert_problem(mail.request(method, path, headers=bearing(secret)), 403)
            elif method == "GET":
                answer = mail.get(path, headers=bearing(secret))
                assert answer.status_code not in (401, 403)
    assert mail.get("/v1/tasks", headers=admin).json() == before


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Basic",
        "Basic !",
        "Basic bm9jb2xvbg==",
        "Basic \xe9",
        "Bearer \xe9",
        "Token x",
        "Bearer  \t",
        "",
    ],
)
def test_a_header_without_a_token_is_refused(mail, secrets, header):
    assert_problem(mail.get("/v1/tasks", headers={"authorization": header.encode("latin-1")}), 401)


def test_a_token_says_who_it_is_and_works_as_a_password_too(mail, secrets):
    assert mail.get("/v1/whoami", headers=bearing(secrets["teach"])).json() == {
        "name": "teach-desk",
        "scope": "teach",
    }
    with_password = base64.b64encode(f"any name:{secrets['ask']}".encode()).decode()
    answer = mail.get("/v1/whoami", headers={"authorization": f"Basic {with_password}"})
    assert answer.json()["name"] == "ask-desk"


def test_the_page_needs_no_token_and_asks_for_one_itself(mail, secrets):
    for path in PAGE_FILES:
        assert mail.get(path).status_code == 200
    # at Basic a browser would ask before the page learns of it
    assert mail.get("/v1/tasks").headers["www-authenticate"].startswith("Bearer")


def test_the_history_names_the_token(mail, secrets):
    mail.headers.update(bearing(secrets["teach"]))
    teach(mail)
    mail.patch("/v1/tasks/mail/rows/1", json={"label": "other"})
    found = mail.get("/v1/tasks/mail/history").json()["changes"]
    assert [change["who"] for change in found] == ["teach-desk"] * 2 + [None] * 2


def test_without_tokens_this_machine_may_do_everything(client):
    assert client.get("/v1/whoami").json() == {"name": None, "scope": "admin"}


def test_other_machines_need_a_token(tmp_path):
    with pytest.raises(ValueError, match="faast serve token create NAME --scope admin"):
        create_app(tmp_path, ["faast.example"])
    TokenFile(tmp_path).create("desk", "ask")
    secret = TokenFile(tmp_path).create("boss", "admin")
    served = create_app(tmp_path, ["faast.example"])
    with TestClient(served, base_url="https://faast.example") as client:
        assert_problem(client.get("/v1/tasks"), 401)
        assert client.get("/v2/health/live").status_code == 200
        client.headers.update(bearing(secret))
        assert client.get("/v1/tasks").status_code == 200
        own = {"origin": "https://faast.example"}
        assert client.post("/v1/tasks", json={"name": "a"}, headers=own).status_code == 201
        for other in ("http://faast.example", "https://faast.example:444", "null"):
            assert_problem(client.delete("/v1/tasks/a", headers={"origin": other}), 403)
        by_address = client.get("/v1/tasks", headers={"host": "192.168.1.7:8000"})
        assert by_address.status_code == 200
        assert_problem(client.get("/v1/tasks", headers={"host": "evil.example"}), 421)


def test_tokens_are_made_and_revoked_while_the_server_runs(mail, tmp_path):
    assert mail.get("/v1/tasks").status_code == 200
    secret = TokenFile(tmp_path).create("late", "ask")
    assert_problem(mail.get("/v1/tasks"), 401)
    assert mail.get("/v1/tasks", headers=bearing(secret)).status_code == 200
    TokenFile(tmp_path).revoke("late")
    assert_problem(mail.get("/v1/tasks", headers=bearing(secret)), 401)
    (tmp_path / "tokens.json").unlink()  # nobody gets in because the file is gone
    assert_problem(mail.get("/v1/tasks"), 401)


def test_a_token_that_is_revoked_while_a_body_comes_teaches_nothing(server, tmp_path):
    tokens = TokenFile(tmp_path)
    boss, late = tokens.create("boss", "admin"), tokens.create("late", "teach")

    def body():
        yield b"text,label\nlost card,"
        while not list(tmp_path.glob("jobs/*")):
            time.sleep(0.01)
        tokens.revoke("late")
        yield b"card\n"

    with server.running(tmp_path) as http:
        http.post("/v1/tasks", json={"name": "mail"}, headers=bearing(boss))
        answer = http.post(
            "/v1/tasks/mail/uploads?format=csv", content=body(), headers=bearing(late)
        )
        assert_problem(answer, 401)
        assert http.get("/v1/jobs", headers=bearing(boss)).json() == {"jobs": []}
        assert not list(tmp_path.glob("jobs/*"))


def test_the_folder_keeps_a_hash_that_only_its_owner_reads(tmp_path):
    tokens = TokenFile(tmp_path)
    secret = tokens.create("desk", "teach")
    content = (tmp_path / "tokens.json").read_text()
    assert secret not in content
    assert secret.removeprefix("faast_") not in content
    assert (tmp_path / "tokens.json").stat().st_mode & 0o077 == 0
    tokens.create("other", "ask")
    assert (tmp_path / "tokens.json").stat().st_mode & 0o077 == 0
    assert tokens.find(secret).name == "desk"
    assert tokens.find(secret[:-1]) is None


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"name": "a"}]', '{"a": 1}'])
def test_a_damaged_file_of_tokens_lets_nobody_in(tmp_path, content):
    (tmp_path / "tokens.json").write_text(content)
    with pytest.raises(ValueError, match="is not a file of tokens"):
        create_app(tmp_path)


@pytest.mark.parametrize("name", ["", "a b", "../a", "a\n", "é", "a" * 65])
def test_a_token_has_a_plain_name(tmp_path, name):
    with pytest.raises(ValueError, match="cannot name a token"):
        TokenFile(tmp_path).create(name, "ask")
    assert not list(tmp_path.iterdir())


def test_the_command_makes_lists_and_revokes_tokens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        found = CliRunner().invoke(app, ["serve", *arguments])
        assert found.exit_code == code, found.output
        return found.output

    made = json.loads(run("token", "create", "desk", "--scope", "ask", "--json"))
    assert TokenFile(tmp_path / "tasks").find(made["token"]).name == "desk"
    listed = run("token", "list")
    assert "desk  ask, made" in listed
    assert made["token"] not in listed
    again = run("token", "create", "desk", "--scope", "ask", code=1)
    assert "there is a token 'desk' already" in again
    unknown = run("token", "create", "x", "--scope", "all", code=1)
    assert "the scopes are ask, teach, admin" in unknown
    run("token", "revoke", "desk")
    assert TokenFile(tmp_path / "tasks").find(made["token"]) is None
    refused = run("elsewhere", "--host", "0.0.0.0", "--port", "0", code=1)
    assert "faast serve token create NAME --scope admin --folder elsewhere" in refused


# -- limits --------------------------------------------------------------------------------------


def test_a_client_that_sends_too_many_requests_waits_and_others_do_not(tmp_path, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: clock.now))
    tokens = TokenFile(tmp_path)
    fast, calm = (bearing(tokens.create(name, "ask")) for name in ("fast", "calm"))
    served = create_app(tmp_path, rate=0.5)
    with TestClient(served, base_url="http://127.0.0.1:8000") as client:
        statuses = [client.get("/v1/tasks", headers=fast).status_code for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        refused = client.get("/v1/tasks", headers=fast)
        assert_problem(refused, 429)
        assert refused.headers["retry-after"] == "2"
        assert client.get("/v1/tasks", headers=calm).status_code == 200
        guesses = [client.get("/v1/tasks", headers=bearing("x")).status_code for _ in range(7)]
        assert guesses == [401] * 5 + [429] * 2
        clock.now = 0.3
        refused = client.get("/v1/tasks", headers=fast)
        assert refused.headers["retry-after"] == "2"  # 1.7 s are left
        clock.now += 2
        assert client.get("/v1/tasks", headers=fast).status_code == 200


def test_the_limit_remembers_a_bounded_number_of_clients(monkeypatch):
    monkeypatch.setattr(limits, "CLIENTS", 10)
    limit = RateLimit(RATE)
    for number in range(1_000):
        limit.take(f"client {number}")
    assert len(limit._buckets) == 10


def test_no_client_takes_all_places():
    places = Places()
    held = [places.take("greedy") for _ in range(AT_ONCE_PER_CLIENT)]
    for place in held:
        place.__enter__()
    with pytest.raises(RequestError) as refused, places.take("greedy"):
        pass
    assert refused.value.status_code == 429
    with places.take("other"):
        pass
    held[0].__exit__(None, None, None)
    with places.take("greedy"):
        pass


@pytest.mark.parametrize(("path", "limit"), [("/v1/tasks", MAX_BODY), ("/v1/import", MAX_UPLOAD)])
def test_a_body_comes_whole_and_in_time_or_not_at_all(monkeypatch, path, limit):
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.3)

    def receive(seconds, n_bytes, parts, declared=None):
        """Return the bytes of a body that comes in parts, each after some seconds."""
        left = list(range(parts))

        async def part():
            await asyncio.sleep(seconds)
            more = left.pop() > 0
            return {"type": "http.request", "body": bytes(n_bytes), "more_body": more}

        async def read():
            headers = Headers({} if declared is None else {"content-length": str(declared)})
            limited = limit_body(path, headers, part)
            received = 0
            while True:
                message = await limited()
                received += len(message["body"])
                if not message["more_body"]:
                    return received

        return asyncio.run(read())

    assert receive(0.0, 1_000, 10) == 10_000
    # as slow as is allowed, for longer than the time that any body gets
    assert receive(0.1, SLOWEST // 10, 8) == SLOWEST // 10 * 8
    with pytest.raises(RequestError) as slow:
        receive(0.1, 1, 8)
    assert slow.value.status_code == 408
    with pytest.raises(RequestError) as promised:
        receive(0.0, 1, 1, declared=limit + 1)
    assert promised.value.status_code == 413
    if path == "/v1/tasks":
        with pytest.raises(RequestError) as large:
            receive(0.0, 2**20, limit // 2**20 + 1)
        assert large.value.status_code == 413
        assert receive(0.0, 2**20, limit // 2**20) == limit


def test_a_mistake_of_the_server_is_answered_and_logs_no_text(tmp_path, caplog):
    secret = "what somebody typed"
    served = create_app(tmp_path)

    @served.post("/broken")
    def broken() -> None:
        raise ValueError(f"cannot take {secret}")

    with TestClient(served, base_url="http://127.0.0.1:8000") as client:
        answer = client.post("/broken", json={"text": secret})
    assert_problem(answer, 500)
    assert secret not in answer.text
    assert "ValueError while answering a request" in caplog.text
    assert 'raise ValueError(f"cannot take {secret}")' in caplog.text  # the line, not its value
    assert secret not in caplog.text
