"""The backbone that all memories share: the model, its tokenizer, and what it is called."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from transformers import AutoTokenizer, GenerationConfig

from faast.lm.architecture import load_base, longest_sequence
from faast.lm.folders import Source, resolve_source
from faast.lm.gguf import transformers_arguments
from faast.lm.prompts import begin_empty, prompt_tokens
from faast.serve.problems import RequestError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LONGEST = 131_072
"""Tokens of a text where the model states no limit."""

MAX_LOGITS = 2**29
"""Numbers that the probabilities of one prompt may need: 2 GiB in float32."""


def new_settings(**given: Any) -> Any:
    """Return settings of generation at their defaults, but those that are given."""
    make: Any = GenerationConfig
    return make(**given)


@dataclass(frozen=True)
class ServedBackbone:
    """A model and its tokenizer, as requests see them.

    Attributes
    ----------
    id : str
        What requests call it: its hub id, or the name of its folder.
    model : PreTrainedModel
    tokenizer : PreTrainedTokenizerBase
    ends : frozenset of int
        Tokens at which the model ends a text.
    created : int
        When it was loaded, in seconds since 1970.
    """

    id: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    ends: frozenset[int]
    created: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def load(cls, base: Source, **loading: Any) -> ServedBackbone:
        """Load a model with its tokenizer.

        Parameters
        ----------
        base : path or hub id
        **loading
            Passed to ``AutoModelForCausalLM.from_pretrained``.

        Raises
        ------
        OSError, ValueError
            There is no such model, or it has no tokenizer.
        """
        source = resolve_source(base, "a model")
        model = load_base(source, **loading)
        tokenizer = AutoTokenizer.from_pretrained(**transformers_arguments(source))
        tokenizer("")  # the first call changes the tokenizer, later ones of any thread only read it
        settings: Any = model.generation_config
        ends = settings.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        found = frozenset(end for end in (*ends, tokenizer.eos_token_id) if end is not None)
        model.generation_config = new_settings()  # requests say how tokens are chosen
        name = Path(source).name if Path(source).exists() else source
        return cls(name, model, tokenizer, found)

    @property
    def pad(self) -> int:
        """Token that pads shorter rows: an end token, after which no learned text goes on."""
        return min(self.ends, default=self.tokenizer.pad_token_id or 0)

    @property
    def longest(self) -> int:
        """Largest number of tokens of a prompt and its continuation."""
        return longest_sequence(self.model.config) or LONGEST

    @property
    def vocabulary(self) -> int:
        """Number of tokens that the model knows."""
        return int(cast("Any", self.model.get_input_embeddings()).weight.shape[0])

    def prompt(self, given: str | Sequence[int]) -> list[int]:
        """Return the tokens of a prompt, at least one.

        Raises
        ------
        RequestError
            Tokens are not in the vocabulary, or the prompt is empty and the model has no token to
            begin a text with.
        """
        tokens = prompt_tokens(self.tokenizer, given) if isinstance(given, str) else list(given)
        size = self.vocabulary
        wrong = next((token for token in tokens if not 0 <= token < size), None)
        if wrong is not None:
            raise RequestError(
                400, f"the prompt has the token {wrong}; tokens are 0 to {size - 1}", param="prompt"
            )
        try:
            (begun,) = begin_empty(self.tokenizer, [tokens])
        except ValueError as error:
            raise RequestError(400, str(error), param="prompt") from error
        return list(begun)

    def chat(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """Return the tokens of a chat, up to where the assistant begins.

        Raises
        ------
        RequestError
            The tokenizer has no chat template, or its template refuses the messages.
        """
        if not self.tokenizer.chat_template:
            raise RequestError(
                400,
                f"the tokenizer of {self.id} has no chat template; send a prompt to "
                "/v1/completions, or serve a model that was made for chats",
                param="messages",
                code="no_chat_template",
            )
        try:
            rendered: Any = self.tokenizer.apply_chat_template(
                list(messages), add_generation_prompt=True, return_dict=True
            )
        except Exception as error:  # a template is a program of whoever made the model
            raise RequestError(
                400, f"the chat template refuses these messages: {error}", param="messages"
            ) from error
        return list(rendered["input_ids"])

    def require_scorable(self, tokens: Sequence[int]) -> None:
        """Raise a RequestError if the probabilities of a prompt would need too much memory."""
        most = MAX_LOGITS // self.vocabulary
        if len(tokens) > most:
            raise RequestError(
                400,
                f"the probabilities of at most {most} tokens are computed at once; the prompt has "
                f"{len(tokens)}. Shorten it, or leave out echo or logprobs",
                param="prompt",
            )

    def require_room(self, tokens: Sequence[int], wanted: int | None, most: int) -> int:
        """Return the number of tokens to generate after a prompt: as wanted, or what is left.

        Raises
        ------
        RequestError
            They are more than the model can hold.
        """
        room = self.longest - len(tokens)
        if room < (wanted or 0):
            raise RequestError(
                400,
                f"this model's maximum context length is {self.longest} tokens; the prompt has "
                f"{len(tokens)} and {wanted or 0} more are wanted. Shorten one of them",
                param="prompt",
                code="context_length_exceeded",
            )
        return min(room, most) if wanted is None else wanted
