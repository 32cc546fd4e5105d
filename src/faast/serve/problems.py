"""Errors as answers: what happened and what to do, as application/problem+json (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


class RequestError(HTTPException):
    """An error that a request is answered with; raised anywhere, also while a body is read.

    Parameters
    ----------
    status : int
        HTTP status.
    detail : str
        What happened and what to do.
    headers : dict of str to str, optional
        Headers of the answer.
    **more
        Further members of the answer.
    """

    def __init__(
        self, status: int, detail: str, headers: dict[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(status, detail, headers)
        self.more = more
        self.content = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            "error": detail,  # where the Open Inference Protocol has it
            **more,
        }

    def __str__(self) -> str:
        return self.detail

    def __reduce__(self) -> tuple[Any, ...]:
        return _request_error, (self.status_code, self.detail, self.headers, self.more)


def problem_response(problem: RequestError) -> JSONResponse:
    """Return a problem as an HTTP answer."""
    return JSONResponse(
        problem.content, problem.status_code, problem.headers, media_type=MEDIA_TYPE
    )


def _request_error(
    status: int, detail: str, headers: dict[str, str] | None, more: dict[str, Any]
) -> RequestError:
    return RequestError(status, detail, headers, **more)


class ProblemDetails(BaseModel):
    """An error: what happened and what to do."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    error: str


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": "What is wrong with the request, and what to do."
        if status == "4XX"
        else "The change could not be saved, or the server failed; nothing is acknowledged.",
        "content": {MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema()}},
    }
    for status in ("4XX", "5XX")
}
"""Errors of every route, for the OpenAPI document."""
