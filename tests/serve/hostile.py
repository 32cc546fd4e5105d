"""Hostile requests, as bytes: each kind draws one, none of which may be answered with success."""

import base64
import json

from faast.serve.access.limits import MAX_BODY, MAX_UPLOAD
from faast.serve.access.scopes import OPEN, SCOPES
from faast.serve.access.tokens import Scope
from faast.serve.fields import MAX_LABEL, MAX_NUMBERS, MAX_ROWS, MAX_TEXT

PROTECTED = sorted(
    route.split()[0] + " " + route.split()[1] for route in SCOPES if route.split()[1] not in OPEN
)
CHANGING = [route for route in PROTECTED if not route.startswith("GET")]
JSON = "Content-Type: application/json"
ROWS = "/v1/tasks/mail/rows"
GOOD = {"rows": [{"text": "a new row", "label": "a new label"}]}
BODIES = {
    "POST /v1/tasks": {"name": "mine"},
    "PATCH /v1/tasks/{task}": {"keep_rows": False},
    "POST /v1/tasks/{task}/rows": GOOD,
    "PATCH /v1/tasks/{task}/rows/{row}": {"label": "mine"},
    "POST /v1/tasks/{task}/classes/add": {"label": "mine"},
    "POST /v1/tasks/{task}/classes/rename": {"label": "card", "to": "mine"},
    "POST /v1/tasks/{task}/classes/merge": {"labels": ["card", "refund"], "into": "mine"},
    "POST /v1/tasks/{task}/classes/forget": {"label": "card"},
    "POST /v1/tasks/{task}/forget-source": {"source": "ann"},
}
"""Bodies that would change something, were they sent by somebody who may."""

TRAVERSALS = [
    "..", "../tokens", "..%2ftokens.json", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%2fetc%2fpasswd",
    "....//", "mail.faast-log", "tokens.json", "..%5cmail", "%00", "mail%00", "mail/../mail/x",
    "%c0%ae%c0%ae", ".", "~", "mail%2f..%2f..", "C:%5c", "%E2%80%AE", "mail;x", "%ff%fe", "%",
    "%zz", "-", "mail%20", "mail%0d%0aX:%20y", "x" * 5_000, "*", "mail.", "MAIL",
]  # fmt: skip
NAMES = [
    "", ".", "..", "../up", "/etc/passwd", "a/b", "a\\b", "a.faast", ".hidden", "nul\x00", "a\n",
    "é", "-a", "_a", "a b", "x" * 65, "mail", "\ud800", "~root", "%2e%2e", "con:", None, 1, [], {},
]  # fmt: skip
NO_LABELS = [
    True, 0, 2**63, 10**400, 1.5, "", " \u200b", "\x00", "a\nb", "\u2028", "\udfff", [], {}, [[]],
    "x" * (MAX_LABEL + 1), {"$gt": ""}, {"__proto__": {}}, ["card"],
]  # fmt: skip
NO_TEXTS = [None, *NO_LABELS[:8], "\ud800", [], {}, "x" * (MAX_TEXT + 1), b"".hex()]
NO_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e39", "01", "0x1", "1_0", "null"]
METHODS = [
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "PUT",
    "OPTIONS",
    "delete",
    "Post",
    "GETT",
    "X" * 999,
    "P\x00",
]


def request(method, path, headers=(), body=b"", host="127.0.0.1", length=None):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    if body or length is not None:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


def bearing(secret):
    return f"Authorization: Bearer {secret}"


def _filled(path, task="mail", row="1"):
    return path.replace("{task}", task).replace("{model}", task).replace("{row}", row)


def _body(route):
    return json.dumps(BODIES.get(route, {})).encode()


def wrong_tokens(draw, secrets):
    """Requests that would work with the right token."""
    true = secrets[Scope.ADMIN]
    wrong = draw.choice(
        [
            true[:-1],
            true + "x",
            true.swapcase(),
            true[::-1],
            "\x7f",
            "x" * 7_000,
            "null",
            "",
            "é",
            "faast_",
        ]
    )
    header = draw.choice(
        [
            bearing(wrong),
            f"Authorization: Basic {base64.b64encode(f'boss:{wrong}'.encode()).decode()}",
            f"Authorization: Basic {base64.b64encode(f'{true}:'.encode()).decode()}",
            f"Authorization: Basic {wrong}",
            f"Authorization: Token {true}",
            f"Authorization: {true}",
            f"Authorization: Bearer {wrong},Bearer {true}",
            f"X-Api-Key: {true}",
            f"Cookie: token={true}",
            "X-Forwarded-For: 127.0.0.1",
        ]
    )
    route = draw.choice(PROTECTED)
    method, path = route.split()
    return request(method, _filled(path) + "?token=" + true, [header, JSON], _body(route))


def small_scopes(draw, secrets):
    """Requests of a client whose token does not allow them."""
    scope = draw.choice([Scope.ASK, Scope.TEACH])
    route = draw.choice([route for route in CHANGING if not scope.includes(SCOPES[route])])
    method, path = route.split()
    task = draw.choice(["mail", "shapes"])
    return request(method, _filled(path, task), [bearing(secrets[scope]), JSON], _body(route))


def traversals(draw, secrets):
    """Names that would be paths."""
    headers = [bearing(secrets[Scope.ADMIN]), JSON]
    if draw.random() < 0.3:
        name = json.dumps({"name": draw.choice(NAMES)}).encode()
        return request("POST", "/v1/tasks", headers, name)
    if draw.random() < 0.1:
        return request("GET", "/" + draw.choice(TRAVERSALS), headers)
    route = draw.choice([route for route in PROTECTED if "{" in route])
    method, path = route.split()
    if "{row}" in path and draw.random() < 0.5:
        row = draw.choice(
            ["0", "-1", "99", str(2**63), "1" + "0" * 30, "1.5", "x", "1%00", "%27", ".."]
        )
        return request(method, _filled(path, row=row), headers, _body(route))
    return request(method, _filled(path, draw.choice(TRAVERSALS)), headers, _body(route))


def bad_bodies(draw, secrets):
    """Bodies that are no JSON, or are more than JSON should be."""
    good = json.dumps(GOOD).encode()
    deep = draw.choice([100, 5_000, 200_000])
    body = draw.choice(
        [
            good[: draw.randrange(1, len(good))],
            good.replace(b"new row", bytes([0xC3, 0x28])),
            good + b"}",
            good.replace(b'"', b"'"),
            b"[" * deep,
            b'{"rows":' * deep + b"1" + b"}" * deep,
            b'{"rows": [' + b"9" * 100_000 + b"]}",
            b"\x00" * 1_000,
            b"--x\r\nContent-Disposition: form-data; name=rows\r\n\r\n[]\r\n--x--",
            b"rows=1&rows=2",
            b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
            bytes(draw.randrange(256) for _ in range(200)),
        ]
    )
    kind = draw.choice(
        [JSON, JSON, "Content-Type: text/plain", "Content-Type: multipart/form-data; boundary=x"]
    )
    return request("POST", ROWS, [bearing(secrets[Scope.TEACH]), kind], body)


def wrong_types(draw, secrets):
    """JSON that is not what the route takes."""
    teach = [bearing(secrets[Scope.TEACH]), JSON]
    choice = draw.randrange(6)
    if choice == 0:
        row = {"text": "a", "label": draw.choice(NO_LABELS)}
        return request("POST", ROWS, teach, json.dumps({"rows": [GOOD["rows"][0], row]}).encode())
    if choice == 1:
        row = {"text": draw.choice(NO_TEXTS), "label": "b"}
        return request("POST", ROWS, teach, json.dumps({"rows": [GOOD["rows"][0], row]}).encode())
    if choice == 2:
        rows = draw.choice(
            [None, 1, "", {}, [], [None], [[]], ["a"], GOOD["rows"] * (MAX_ROWS + 1)]
        )
        return request("POST", ROWS, teach, json.dumps({"rows": rows}).encode())
    if choice == 3:
        numbers = draw.choice(
            [f"[1, {draw.choice(NO_NUMBERS)}]", "[]", "1", '["1", "2"]', "[1, 2, 3]", "[true, 1]"]
        )
        body = f'{{"rows": [{{"numbers": {numbers}, "label": "b"}}]}}'
        return request("POST", "/v1/tasks/shapes/rows", teach, body.encode())
    if choice == 4:
        numbers = [0] * (MAX_NUMBERS + 1)
        picture = draw.choice(["", "!", "iVBORw0KGgo=", base64.b64encode(b"GIF89a").decode(), 1])
        row = draw.choice(
            [{"numbers": numbers}, {"picture": picture}, {"text": "a", "numbers": [1]}, {}]
        )
        return request("POST", ROWS, teach, json.dumps({"rows": [row]}).encode())
    route = draw.choice(["PATCH /v1/tasks/mail/rows/1", "POST /v1/tasks/mail/classes/forget"])
    body = json.dumps(
        draw.choice([{"label": draw.choice(NO_LABELS)}, {"label": "x", "who": "me"}, [], 1, None])
    )
    return request(*route.split(), teach, body.encode())


def huge(draw, secrets):
    """More than the server takes, or the promise of it."""
    teach = [bearing(secrets[Scope.TEACH]), JSON]
    choice = draw.randrange(20)
    if choice == 0:
        return request("POST", ROWS, teach, b" " * (MAX_BODY + 1))
    if choice == 1:
        chunk = b"%x\r\n%b\r\n" % (2**20, b" " * 2**20)
        return request("POST", ROWS, [*teach, "Transfer-Encoding: chunked"]) + chunk * 9
    if choice < 6:
        return request("GET", "/v1/tasks?" + "x" * 100_000, teach)
    if choice < 10:
        return request("GET", "/v1/tasks/x", [*teach, *(f"X-{n}: {'y' * 900}" for n in range(100))])
    length = draw.choice([MAX_BODY + 1, 2**31, 2**63, 10**30, MAX_UPLOAD + 1])
    return request("POST", ROWS, teach, length=length)


def header_tricks(draw, secrets):
    """Requests that two servers could understand in two ways, or that come from elsewhere."""
    admin = bearing(secrets[Scope.ADMIN])
    good = json.dumps(GOOD).encode()
    smuggled = request("DELETE", "/v1/tasks/mail", [admin])
    return draw.choice(
        [
            request(
                "DELETE",
                "/v1/tasks/mail",
                [admin],
                host=draw.choice(["evil.example", "", "127.0.0.1.evil", "[", "127.0.0.1@x"]),
            ),
            request("DELETE", "/v1/tasks/mail", [admin, "Host: evil.example"]),
            request(
                "POST",
                "/v1/tasks/mail/undo",
                [
                    admin,
                    f"Origin: {draw.choice(['null', 'http://evil.example', 'https://127.0.0.1', 'http://127.0.0.1:9'])}",
                ],
            ),
            request("POST", ROWS, [admin, JSON, "Content-Length: 3"], good),
            request("POST", ROWS, [admin, JSON, "Content-Length: -1"]),
            request("POST", ROWS, [admin, JSON, "Content-Length: 1e3"]),
            request(
                "POST",
                "/v1/nothing",
                [admin, "Transfer-Encoding: chunked"],
                b"0\r\n\r\n" + smuggled,
            ),
            request("POST", ROWS, [admin, JSON, "Transfer-Encoding: xchunked"], good),
            request("POST", ROWS, [admin, JSON, "Transfer-Encoding: chunked"]) + b"zz\r\n" + good,
            request(
                "POST", ROWS, [admin, JSON, "Content-Encoding: gzip"], b"\x1f\x8b\x08\x00" + good
            ),
            request(
                "GET",
                "/v1/nothing",
                [admin, "X-HTTP-Method-Override: DELETE", "X-Original-URL: /v1/tasks/mail"],
            ),
            request("GET", "/v1/nothing", [admin, "X-Nul: a\x00b"]),
            request("GET", "/v1/nothing", [admin, " folded: x"]),
            request("GET", "/v1/nothing", [admin, "No colon here"]),
            request("DELETE", "/v1/tasks/mail", [admin]).replace(b"HTTP/1.1", b"HTTP/9.9"),
            request("DELETE", "/v1/tasks/mail", [admin]).replace(b"DELETE ", b"DELETE\t"),
            b"\x16\x03\x01\x02\x00\x01\x00" + bytes(draw.randrange(256) for _ in range(100)),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        ]
    )


def method_tricks(draw, secrets):
    """Methods that a route does not have."""
    path = _filled(draw.choice(PROTECTED).split()[1])
    return request(draw.choice(METHODS), path, [bearing(secrets[Scope.ADMIN]), JSON], b"{}")


KINDS = [
    wrong_tokens,
    small_scopes,
    traversals,
    bad_bodies,
    wrong_types,
    huge,
    header_tricks,
    method_tricks,
]
