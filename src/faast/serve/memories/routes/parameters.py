"""Parameters that requests for completions and for chats share, as OpenAI's API names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from faast.serve.fields import AnyText
from faast.serve.memories.sequence import Sampling
from faast.serve.problems import RequestError

MAX_TOKENS = 4_096
"""Tokens that a text may be continued by."""

MAX_TEXTS = 128
"""Texts that a request may ask for, over all its prompts."""

MAX_TOP = 20
"""Most probable tokens that are told at every token."""

WITHOUT_EFFECT = frozenset(
    {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"}
)
"""Parameters that do not change the answer."""

NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "best_of": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "suffix": ("",),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
"""Parameters that are not supported, with the values at which they change nothing."""

StopText = Annotated[AnyText, Field(min_length=1, max_length=200)]


class StreamOptions(BaseModel):
    """What a stream ends with."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool = False


class Parameters(BaseModel):
    """How a text is generated; null is the default of each."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: AnyText
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_TEXTS)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: StopText | Annotated[list[StopText], Field(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    def require_supported(self) -> None:
        """Raise a RequestError if a parameter would change the answer, and is not supported."""
        if self.stream_options is not None and not self.stream:
            raise RequestError(
                400,
                "stream_options are given without a stream; set stream to true or leave them out "
                "(a whole answer tells its usage always)",
                param="stream_options",
            )
        for name, value in (self.model_extra or {}).items():
            harmless = value is None or value in NEUTRAL.get(name, ()) or name in WITHOUT_EFFECT
            if not harmless:
                known = "is not supported" if name in NEUTRAL else "is not known"
                raise RequestError(
                    400,
                    f"the parameter {name!r} {known}; leave it out",
                    param=name if name.isprintable() else None,
                    code="unsupported_parameter",
                )

    def samplings(
        self, max_tokens: int, *, echo: bool = False, top: int | None = None
    ) -> list[Sampling]:
        """Return how each of the n texts of a prompt is generated."""
        return [
            Sampling(
                max_tokens=max_tokens,
                temperature=1.0 if self.temperature is None else self.temperature,
                top_p=1.0 if self.top_p is None else self.top_p,
                seed=None if self.seed is None else (self.seed + index) % 2**63,
                stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
                echo=echo,
                top=top,
            )
            for index in range(self.n or 1)
        ]

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the numbers of tokens."""
        return self.stream_options is not None and self.stream_options.include_usage


class Usage(BaseModel):
    """Numbers of tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
