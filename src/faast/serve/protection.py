"""What every application of this package has around its routes: guard, failures and metrics."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from faast.serve.access.tokens import TokenFile
from faast.serve.failures import AnswerFailures
from faast.serve.guard import LOOPBACK, Guard
from faast.serve.metrics import CountRequests, RequestMetrics
from faast.serve.problems import RESPONSES, RequestError, problem_response
from faast.serve.wording import describe_error

KIND = re.compile(r"(function-\w+|list)\[.*\]", re.DOTALL)
"""Part of a place that names one of the kinds a field may be of, as pydantic writes it."""


def checked_hosts(hosts: Iterable[str], tokens: TokenFile, advice: str) -> frozenset[str]:
    """Return host names that requests may be addressed to.

    Parameters
    ----------
    hosts : iterable of str
    tokens : TokenFile
    advice : str
        The command that makes a token.

    Raises
    ------
    ValueError
        If they are more than this machine, and there are no tokens.
    """
    hosts = frozenset(hosts)
    if not tokens.tokens and hosts - set(LOOPBACK):
        raise ValueError(
            "other machines could teach and delete everything, for there is no token yet; make "
            f"one: {advice}"
        )
    return hosts


def protect(
    app: FastAPI,
    tokens: TokenFile,
    hosts: frozenset[str],
    rate: float,
    metrics: RequestMetrics,
    *reshaping: Callable[[ASGIApp], ASGIApp],
) -> None:
    """Put the guard, the answers to failures and the metrics around an application.

    Parameters
    ----------
    app : FastAPI
    tokens : TokenFile
    hosts : frozenset of str
        Host names that requests may be addressed to.
    rate : float
        Requests a second that each token may send.
    metrics : RequestMetrics
        Shown at /metrics.
    *reshaping : ASGI middlewares
        They change the shape and status of answers, before answers are counted.
    """
    app.add_api_route(
        "/metrics", _shows(metrics), tags=["metrics"], response_class=Response, responses=RESPONSES
    )
    app.add_middleware(Guard, hosts=hosts, tokens=tokens, rate=rate)
    app.add_middleware(AnswerFailures)
    for middleware in reshaping:
        app.add_middleware(middleware)
    app.add_middleware(CountRequests, metrics=metrics)  # the last added is the outermost
    for kind, handler in {
        RequestError: _problem,
        RequestValidationError: _invalid,
        HTTPException: _refused,
        sqlite3.Error: _unreadable,
    }.items():
        app.add_exception_handler(kind, handler)


def _shows(metrics: RequestMetrics) -> Any:
    def show() -> Response:
        """Show metrics in Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return show


def _problem(request: Request, error: Any) -> JSONResponse:
    return problem_response(error)


def _invalid(request: Request, error: Any) -> JSONResponse:
    """Say what is wrong with a request, without repeating what it held."""
    found = dict.fromkeys((_place(one), describe_error(one)) for one in error.errors())
    errors = [{"at": at, "message": message} for at, message in found]
    first = errors[0]["at"]
    reasons = "; or ".join(message for at, message in found if at == first)
    return problem_response(
        RequestError(422, f"the request was not understood; {first}: {reasons}", errors=errors)
    )


def _place(error: Mapping[str, Any]) -> str:
    parts = error["loc"][:1] if error["type"] == "json_invalid" else error["loc"]
    return "/".join(part for part in map(str, parts) if not KIND.fullmatch(part))


def _refused(request: Request, error: Any) -> JSONResponse:
    """Say why a request reached no route: its address, its method, or a body that is no JSON."""
    cause = error.__cause__
    if cause is None:
        what = f"there is no {request.method} {request.url.path}; /openapi.json lists all routes"
    elif isinstance(cause, UnicodeDecodeError):
        what = "the body is not in UTF-8, as JSON has to be; encode it so"
    elif isinstance(cause, RecursionError):
        what = "the body has lists or objects nested too deeply; send a flat one"
    else:
        what = "the body cannot be read as JSON; a number in it may have too many digits"
    return problem_response(RequestError(error.status_code, what, error.headers))


def _unreadable(request: Request, error: Any) -> JSONResponse:
    detail = f"a log cannot be read ({error}); was what it belongs to deleted?"
    return problem_response(RequestError(503, detail))
