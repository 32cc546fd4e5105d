"""Chats as documents of which only the assistant's turns are learned."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from jinja2 import TemplateError

from faast.lm.documents import Document, shared_prefix

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ASSISTANT = "assistant"
MARKER = re.compile(r"\{%-?\s*generation\b")
"""What marks the assistant's turns in templates that mark them."""


def chat_document(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]]
) -> Document:
    """Read a chat through the tokenizer's template; the assistant's turns are the answers.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    messages : sequence of mappings
        With "role" and "content" each.

    Raises
    ------
    ValueError
        No template, no assistant's turn, or a template whose turns cannot be told apart.

    Notes
    -----
    Templates that mark what the assistant generates are believed. Elsewhere a turn is what the chat
    up to it adds to the chat before it, the header of the turn aside.
    """
    if not tokenizer.chat_template:
        raise ValueError(
            "the tokenizer has no chat template; use one of a chat model, or give prompts and "
            "answers instead of messages"
        )
    if not _are_messages(messages):
        raise ValueError(
            'a chat must be a list of messages such as {"role": "user", "content": "..."}'
        )
    if not any(message.get("role") == ASSISTANT for message in messages):
        raise ValueError(
            f'the chat holds no message of the role "{ASSISTANT}", so there is nothing to learn'
        )
    read = _marked if MARKER.search(str(tokenizer.chat_template)) else _by_turns
    try:
        document = read(tokenizer, messages)
    except TemplateError as error:
        raise ValueError(f"the chat template refuses this chat: {error}") from error
    if not bool(document.answers.any()):
        raise ValueError("the chat template renders nothing of the assistant's turns")
    return document


def _are_messages(given: Any) -> bool:
    return isinstance(given, Sequence) and all(isinstance(one, Mapping) for one in given)


def _marked(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]]) -> Document:
    rendered: Any = tokenizer.apply_chat_template(
        [dict(message) for message in messages], return_dict=True, return_assistant_tokens_mask=True
    )
    return Document(
        torch.tensor(rendered["input_ids"]), torch.tensor(rendered["assistant_masks"]).bool()
    )


def _by_turns(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]]
) -> Document:
    whole = _rendered(tokenizer, messages)
    answers = torch.zeros(len(whole), dtype=torch.bool)
    for index, message in enumerate(messages):
        if message.get("role") != ASSISTANT:
            continue
        before = _rendered(tokenizer, messages[:index], add_generation_prompt=True) if index else []
        after = _rendered(tokenizer, messages[: index + 1])
        start, end = shared_prefix([whole, before]), shared_prefix([whole, after])
        if start < len(before) or end < len(after):
            raise ValueError(
                f"the chat template writes message {index} differently once others follow, so its "
                "tokens cannot be told; end the chat there, or mark the assistant's turns in the "
                "template with {% generation %} and {% endgeneration %}"
            )
        answers[start:end] = True
    return Document(torch.tensor(whole), answers)


def _rendered(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]], **options: Any
) -> list[int]:
    rendered: Any = tokenizer.apply_chat_template(
        [dict(message) for message in messages], return_dict=True, **options
    )
    return list(rendered["input_ids"])
