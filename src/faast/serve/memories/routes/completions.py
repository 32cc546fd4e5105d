"""Continuations of prompts, in the shape of OpenAI's API."""

from __future__ import annotations

import time
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from faast.serve.fields import AnyText
from faast.serve.memories.pieces import Finish, Piece
from faast.serve.memories.routes.dependencies import Folder, TheEngine
from faast.serve.memories.routes.generation import Generation
from faast.serve.memories.routes.parameters import (
    MAX_TEXTS,
    MAX_TOKENS,
    MAX_TOP,
    Parameters,
    Usage,
)
from faast.serve.problems import RESPONSES, RequestError

router = APIRouter(prefix="/v1", tags=["completions"], responses=RESPONSES)

DEFAULT_TOKENS = 16
"""As in OpenAI's API."""

Tokens = Annotated[list[int], Field(min_length=1)]


class CompletionRequest(Parameters):
    """A prompt, or several: texts, or tokens."""

    prompt: (
        AnyText
        | Annotated[list[AnyText], Field(min_length=1, max_length=MAX_TEXTS)]
        | Tokens
        | Annotated[list[Tokens], Field(min_length=1, max_length=MAX_TEXTS)]
    )
    max_tokens: Annotated[int, Field(ge=0, le=MAX_TOKENS)] | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=MAX_TOP)] | None = None

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        """All prompts."""
        given: Any = self.prompt
        return [given] if isinstance(given, str) or isinstance(given[0], int) else given


class LogProbabilities(BaseModel):
    """Tokens of a text, their logarithmic probabilities, and the most probable ones there."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]

    @classmethod
    def of(cls, piece: Piece) -> LogProbabilities:
        """Build from the scored tokens of a piece."""
        return cls(
            tokens=[scored.token for scored in piece.scored],
            token_logprobs=[scored.log_p for scored in piece.scored],
            top_logprobs=[
                None if scored.top is None else dict(reversed(scored.top))  # of two of a name, the
                for scored in piece.scored  # more probable one stays
            ],
            text_offset=[scored.start for scored in piece.scored],
        )


class Choice(BaseModel):
    """A text."""

    text: str
    index: int
    logprobs: LogProbabilities | None
    finish_reason: Finish | None


class CompletionAnswer(BaseModel):
    """Texts that continue the prompts: for each prompt as many as were asked for."""

    id: str
    object: str = "text_completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None = None


@router.post("/completions", response_model=CompletionAnswer)
async def complete(
    body: CompletionRequest, request: Request, folder: Folder, engine: TheEngine
) -> CompletionAnswer | Response:
    """Continue prompts with the memory, or the backbone, that `model` names."""
    body.require_supported()
    memory = folder.find(body.model)
    prompts = await run_in_threadpool(_read, body, folder)
    generation = Generation(engine, folder.backbone, memory, prompts)
    head: dict[str, Any] = {
        "id": f"cmpl-{uuid.uuid4().hex}",
        "created": int(time.time()),
        "model": body.model,
    }
    wants = body.logprobs is not None

    def answer(choices: list[Choice], usage: Usage | None = None) -> CompletionAnswer:
        return CompletionAnswer(**head, choices=choices, usage=usage)

    def choice(index: int, piece: Piece) -> Choice:
        return Choice(
            text=piece.text,
            index=index,
            logprobs=LogProbabilities.of(piece) if wants else None,
            finish_reason=piece.finish,
        )

    if body.stream:

        def chunk(index: int, piece: Piece) -> dict[str, Any]:
            return answer([choice(index, piece)]).model_dump()

        def ending(usage: Usage) -> dict[str, Any]:
            return answer([], usage).model_dump()

        return generation.stream(chunk, [], ending if body.wants_usage else None)
    pieces = await generation.whole(request)
    return answer([choice(*found) for found in enumerate(pieces)], generation.usage)


def _read(body: CompletionRequest, folder: Folder) -> list[tuple[list[int], list[Any]]]:
    """Return the tokens of each prompt, and how each of its texts is generated."""
    if len(body.prompts) * (body.n or 1) > MAX_TEXTS:
        raise RequestError(
            400, f"a request may ask for {MAX_TEXTS} texts; send several requests", param="n"
        )
    backbone = folder.backbone
    wanted = DEFAULT_TOKENS if body.max_tokens is None else body.max_tokens
    found = []
    for given in body.prompts:
        tokens = backbone.prompt(given)
        room = backbone.require_room(tokens, wanted, MAX_TOKENS)
        if body.echo and body.logprobs is not None:
            backbone.require_scorable(tokens)
        found.append((tokens, body.samplings(room, echo=bool(body.echo), top=body.logprobs)))
    return found
