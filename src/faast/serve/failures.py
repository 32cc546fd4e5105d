"""Mistakes of the server: answered as a problem, and logged without what somebody typed."""

from __future__ import annotations

import logging
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faast.serve.problems import RequestError, problem_response

LOG = logging.getLogger("faast.serve")


class AnswerFailures:
    """ASGI middleware for exceptions that no handler expected."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception as error:
            log_failure(error, "answering a request")
            if started:
                return  # the answer stays cut off, as its length says
            problem = RequestError(
                500, "the server made a mistake; its log says which. Nothing was acknowledged"
            )
            await problem_response(problem)(scope, receive, send)


def log_failure(error: Exception, doing: str) -> None:
    """Log an exception that nobody expected.

    Its message may repeat the value that it is about, such as a text or a label. The log therefore
    names its kind and the lines of code that led to it.
    """
    lines = "".join(traceback.format_tb(error.__traceback__))
    LOG.error("%s while %s\n%s", type(error).__name__, doing, lines)
