"""What a model writes, as it leaves the server: text piece by piece, and how probable it was."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

CONTEXT_TOKENS = 6
"""Tokens in front of new ones that are decoded with them, so that spaces between stay."""

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""Stands at the end of a text whose last character needs more tokens."""

Finish = Literal["stop", "length"]
"""Why a text ended: by the model or a stop text, or at the largest number of tokens."""


@dataclass(frozen=True)
class Scored:
    """A token and its logarithmic probability.

    Attributes
    ----------
    token : str
    start : int
        Where it begins in the text, in characters.
    log_p : float or None
        None for a first token, which follows nothing.
    top : tuple of (str, float), or None
        The most probable tokens there, and this one; None for a first token.
    """

    token: str
    start: int
    log_p: float | None
    top: tuple[tuple[str, float], ...] | None


@dataclass
class Piece:
    """A part of a text that is written.

    Attributes
    ----------
    text : str
    scored : list of Scored
        Its tokens, where their probabilities are wanted.
    finish : Finish or None
        Why the text ends here; None if it goes on.
    """

    text: str = ""
    scored: list[Scored] = field(default_factory=list)
    finish: Finish | None = None


class TextStream:
    """Turns tokens into text, one after the other.

    A character that needs more tokens waits for them; so does what may be the beginning of a stop
    text.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    prompt : sequence of int
        Tokens in front.
    stop : sequence of str
        Texts at which the text ends, without them.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, prompt: Sequence[int], stop: Sequence[str]
    ) -> None:
        self._tokenizer = tokenizer
        self._tokens = list(prompt[-CONTEXT_TOKENS:])
        self._start = 0
        self._decoded = len(self._tokens)
        self._stop = [text for text in stop if text]
        self._held = ""
        self._latest = ""
        self._n_earlier = 0
        self.stopped = False

    def push(self, token: int) -> str:
        """Take a token; return the text that is certain now."""
        self._tokens.append(token)
        self._n_earlier += len(self._latest)
        self._latest = ""
        before = self._decode(self._tokens[self._start : self._decoded])
        after = self._decode(self._tokens[self._start :])
        if len(after) <= len(before) or after.endswith(UNFINISHED):
            return ""
        self._start, self._decoded = self._decoded, len(self._tokens)
        self._latest = after[len(before) :]
        return self._release(self._latest)

    def start_of(self, name: str) -> int:
        """Return where the latest token begins, after a space that its name leaves out."""
        return self._n_earlier + max(self._latest.find(name), 0)

    def end(self) -> str:
        """Return the text that waited for more; none after a stop text."""
        if self.stopped:
            return ""
        before = self._decode(self._tokens[self._start : self._decoded])
        rest = self._release(self._decode(self._tokens[self._start :])[len(before) :])
        held, self._held = self._held, ""
        return rest + held

    def _release(self, text: str) -> str:
        """Add to what is held back; return what no stop text can begin in."""
        self._held += text
        found = [at for at in map(self._held.find, self._stop) if at >= 0]
        if found:
            self.stopped = True
            released, self._held = self._held[: min(found)], ""
            return released
        kept = max((_overlap(self._held, stop) for stop in self._stop), default=0)
        released, self._held = (
            self._held[: len(self._held) - kept],
            self._held[-kept:] if kept else "",
        )
        return released

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of a text with which a stop text begins."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
