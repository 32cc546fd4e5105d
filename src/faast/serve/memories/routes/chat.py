"""Answers in a chat, in the shape of OpenAI's API."""

from __future__ import annotations

import time
import uuid
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from faast.serve.fields import AnyText
from faast.serve.memories.pieces import Finish, Piece
from faast.serve.memories.routes.dependencies import Folder, TheEngine
from faast.serve.memories.routes.generation import Generation
from faast.serve.memories.routes.parameters import MAX_TOKENS, Parameters, Usage
from faast.serve.problems import RESPONSES, RequestError

router = APIRouter(prefix="/v1", tags=["chat"], responses=RESPONSES)

MAX_MESSAGES = 1_000
"""Messages that a chat may have."""

Wanted = Annotated[int, Field(ge=1, le=MAX_TOKENS)]


class TextPart(BaseModel):
    """A part of a message."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["text"]
    text: AnyText


class Message(BaseModel):
    """What somebody said in a chat."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: AnyText | list[TextPart]

    @property
    def text(self) -> str:
        """All that the message says."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content)


class ChatRequest(Parameters):
    """A chat that the assistant is to continue."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    max_tokens: Wanted | None = None
    max_completion_tokens: Wanted | None = None

    @property
    def wanted(self) -> int | None:
        """Largest number of tokens of an answer; raises a RequestError if two are given."""
        given = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(given) > 1:
            raise RequestError(
                400,
                f"max_tokens is {self.max_tokens} and max_completion_tokens is "
                f"{self.max_completion_tokens}; they mean the same, so give one of them",
                param="max_tokens",
            )
        return next(iter(given), None)


class Said(BaseModel):
    """What the assistant says."""

    role: Literal["assistant"] = "assistant"
    content: str


class ChatChoice(BaseModel):
    """An answer."""

    index: int
    message: Said
    logprobs: None = None
    finish_reason: Finish | None


class ChatAnswer(BaseModel):
    """As many answers as were asked for."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage


@router.post("/chat/completions", response_model=ChatAnswer)
async def chat(
    body: ChatRequest, request: Request, folder: Folder, engine: TheEngine
) -> ChatAnswer | Response:
    """Continue a chat with the memory, or the backbone, that `model` names."""
    body.require_supported()
    memory = folder.find(body.model)
    backbone = folder.backbone
    messages = [{"role": message.role, "content": message.text} for message in body.messages]
    tokens = await run_in_threadpool(backbone.chat, messages)
    samplings = body.samplings(backbone.require_room(tokens, body.wanted, MAX_TOKENS))
    generation = Generation(engine, backbone, memory, [(tokens, samplings)])
    head: dict[str, Any] = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "created": int(time.time()),
        "model": body.model,
    }
    if body.stream:
        head |= {"object": "chat.completion.chunk"}

        def delta(index: int, said: dict[str, str], finish: Finish | None) -> dict[str, Any]:
            choice = {"index": index, "delta": said, "logprobs": None, "finish_reason": finish}
            return head | {"choices": [choice]}

        def chunk(index: int, piece: Piece) -> dict[str, Any]:
            return delta(index, {"content": piece.text} if piece.text else {}, piece.finish)

        def ending(usage: Usage) -> dict[str, Any]:
            return head | {"choices": [], "usage": usage.model_dump()}

        begun = [
            delta(index, {"role": "assistant", "content": ""}, None)
            for index in range(len(generation.texts))
        ]
        return generation.stream(chunk, begun, ending if body.wants_usage else None)
    choices = [
        ChatChoice(index=index, message=Said(content=piece.text), finish_reason=piece.finish)
        for index, piece in enumerate(await generation.whole(request))
    ]
    return ChatAnswer(**head, choices=choices, usage=generation.usage)
