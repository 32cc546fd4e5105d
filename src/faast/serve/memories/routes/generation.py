"""From a request to the engine and back: texts are sent whole, or as they are written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse

from faast.serve.memories.backbone import ServedBackbone
from faast.serve.memories.engine import Engine
from faast.serve.memories.errors import error_of
from faast.serve.memories.pieces import Piece
from faast.serve.memories.routes.parameters import Usage
from faast.serve.memories.sequence import Generated, Receiver, Sampling
from faast.serve.problems import RequestError

LOOK_SECONDS = 1.0
"""Seconds after which is looked whether somebody still waits for a whole text."""


class Generation:
    """The texts of one request.

    Parameters
    ----------
    engine : Engine
    backbone : ServedBackbone
    memory : str or None
    prompts : sequence of (tokens, samplings)
        Each prompt with how each of its texts is generated.
    """

    def __init__(
        self,
        engine: Engine,
        backbone: ServedBackbone,
        memory: str | None,
        prompts: Sequence[tuple[Sequence[int], Sequence[Sampling]]],
    ) -> None:
        self._engine = engine
        self._pieces: asyncio.Queue[tuple[int, Piece | Exception]] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._n_prompt = sum(len(tokens) for tokens, _ in prompts)
        each = [(tokens, one) for tokens, samplings in prompts for one in samplings]
        self.texts = [
            Generated(
                backbone.tokenizer, tokens, memory, sampling, backbone.ends, self._receiver(index)
            )
            for index, (tokens, sampling) in enumerate(each)
        ]

    @property
    def usage(self) -> Usage:
        """Numbers of tokens so far."""
        new = sum(text.n_new for text in self.texts)
        return Usage(
            prompt_tokens=self._n_prompt,
            completion_tokens=new,
            total_tokens=self._n_prompt + new,
        )

    async def pieces(self) -> AsyncIterator[tuple[int, Piece]]:
        """Generate, and yield each piece with the number of its text.

        Raises
        ------
        RequestError
            The texts cannot be generated.
        """
        self._engine.submit(self.texts)
        left = len(self.texts)
        try:
            while left:
                index, piece = await self._pieces.get()
                if isinstance(piece, RequestError):
                    raise piece
                if isinstance(piece, Exception):
                    raise RequestError(
                        500, "the server made a mistake; its log says which"
                    ) from piece
                left -= piece.finish is not None
                yield index, piece
        finally:
            for text in self.texts:  # nobody listens any more
                text.done = True

    async def whole(self, request: Request) -> list[Piece]:
        """Generate, and return the whole texts, or what there is of them when nobody waits."""
        found = [Piece() for _ in self.texts]
        looked = self._loop.time()
        async for index, piece in self.pieces():
            whole = found[index]
            found[index] = Piece(whole.text + piece.text, whole.scored + piece.scored, piece.finish)
            if self._loop.time() > looked + LOOK_SECONDS:
                if await request.is_disconnected():
                    break
                looked = self._loop.time()
        return found

    def stream(
        self,
        chunk: Callable[[int, Piece], dict[str, Any]],
        head: Sequence[dict[str, Any]],
        usage: Callable[[Usage], dict[str, Any]] | None,
    ) -> StreamingResponse:
        """Return an answer of server-sent events, as the texts are written.

        Parameters
        ----------
        chunk : callable
            Makes an event of the number of a text and its piece.
        head : sequence of dict
            Events in front.
        usage : callable, optional
            Makes the last event, of the numbers of tokens.
        """

        async def events() -> AsyncIterator[str]:
            try:
                for event in head:
                    yield _event(event)
                async for index, piece in self.pieces():
                    yield _event(chunk(index, piece))
                if usage is not None:
                    yield _event(usage(self.usage))
                yield "data: [DONE]\n\n"
            except RequestError as error:
                yield _event({"error": error_of(error.content)})

        return StreamingResponse(events(), media_type="text/event-stream")

    def _receiver(self, index: int) -> Receiver:
        def receive(piece: Piece | Exception) -> None:
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, (index, piece))

        return receive


def _event(content: dict[str, Any]) -> str:
    return f"data: {json.dumps(content)}\n\n"
