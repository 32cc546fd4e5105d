"""One text that is generated: its tokens, how they are chosen, and who receives it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from faast.serve.memories.pieces import Piece, Scored, TextStream

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Receiver = Callable[[Piece | Exception], None]
"""Takes the pieces of a text as they are written, or the error that ended it."""

COLDEST = 1e-100
"""Lower temperatures than this one count as it: logits that are divided by them overflow."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen, and what is told about them.

    Attributes
    ----------
    max_tokens : int
        Largest number of new tokens.
    temperature : float
        0 takes the most probable token.
    top_p : float
        Share of the probability that tokens are chosen from.
    seed : int or None
        Of the random numbers; the same seed gives the same text.
    stop : tuple of str
        Texts at which the text ends, without them.
    echo : bool
        Whether the text begins with the prompt.
    top : int or None
        Number of most probable tokens to tell at every token; None for no probabilities.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    echo: bool = False
    top: int | None = None


class Generated:
    """A text while it is generated.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    prompt : sequence of int
        Tokens to continue, at least one.
    memory : str or None
        Name of the memory that is read; None for the backbone alone.
    sampling : Sampling
    ends : iterable of int
        Tokens at which the text ends, without them.
    receive : callable
        Called in the thread that generates.

    Attributes
    ----------
    tokens : list of int
        The prompt, and what was generated.
    done : bool
        Whether nothing more is to be generated; set it to give up.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        prompt: Sequence[int],
        memory: str | None,
        sampling: Sampling,
        ends: Iterable[int],
        receive: Receiver,
    ) -> None:
        self.memory = memory
        self.sampling = sampling
        self.tokens = list(prompt)
        self.n_prompt = len(prompt)
        self.done = False
        self.begun = False
        self._tokenizer = tokenizer
        self._ends = frozenset(ends)
        self._receive = receive
        self._text = TextStream(tokenizer, prompt, sampling.stop)
        self._n_echoed = 0
        self._random = torch.Generator()
        if sampling.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(sampling.seed)

    @property
    def n_new(self) -> int:
        """Number of tokens that were generated."""
        return len(self.tokens) - self.n_prompt

    @property
    def left(self) -> int:
        """Number of tokens that may still be generated."""
        return self.sampling.max_tokens - self.n_new

    @property
    def scores_prompt(self) -> bool:
        """Whether the probabilities of the prompt are wanted."""
        return self.sampling.echo and self.sampling.top is not None

    def begin(self, logits: Tensor | None) -> None:
        """Send the prompt where it is wanted.

        Parameters
        ----------
        logits : Tensor of shape (n, vocabulary) or None
            What the model predicts after each token of the prompt, if `scores_prompt`.
        """
        self.begun = True
        if self.sampling.echo:
            piece = Piece(str(self._tokenizer.decode(self.tokens, skip_special_tokens=True)))
            self._n_echoed = len(piece.text)
            if logits is not None:
                text = TextStream(self._tokenizer, (), ())
                for row, token in zip((None, *logits[:-1]), self.tokens, strict=True):
                    text.push(token)
                    name = self._name(token)
                    piece.scored.append(self._score(row, token, text.start_of(name)))
            self._receive(piece)
        if self.left <= 0:
            self._end(Piece(finish="length"))

    def choose(self, logits: Tensor) -> int:
        """Choose the next token by its logits (vocabulary,), and send the text that is certain."""
        token = self._sample(logits)
        self.tokens.append(token)
        if token in self._ends:
            self._end(Piece(finish="stop"))
            return token
        piece = Piece(self._text.push(token))
        if self.sampling.top is not None:
            start = self._n_echoed + self._text.start_of(self._name(token))
            piece.scored = [self._score(logits, token, start)]
        if self._text.stopped:
            piece.finish = "stop"
        elif self.left <= 0:
            piece.finish = "length"
        if piece.finish is not None:
            self._end(piece)
        elif piece.text or piece.scored:
            self._receive(piece)
        return token

    def fail(self, error: Exception) -> None:
        """Tell the receiver why the text ends here."""
        self.done = True
        self._receive(error)

    def _end(self, piece: Piece) -> None:
        piece.text += self._text.end()
        if self._text.stopped:
            piece.finish = "stop"
        self.done = True
        self._receive(piece)

    def _sample(self, logits: Tensor) -> int:
        if self.sampling.temperature == 0:
            return int(logits.argmax())
        temperature = max(self.sampling.temperature, COLDEST)
        p = (logits.double() / temperature).softmax(dim=-1).cpu()
        if self.sampling.top_p < 1:
            ordered, at = p.sort(descending=True)
            beyond = ordered.cumsum(0) - ordered >= self.sampling.top_p
            p[at[beyond]] = 0
        return int(torch.multinomial(p, 1, generator=self._random))

    def _score(self, logits: Tensor | None, token: int, start: int) -> Scored:
        if logits is None:
            return Scored(self._name(token), start, None, None)
        log_p = logits.float().log_softmax(dim=-1)
        best = log_p.topk(min(self.sampling.top or 0, len(log_p)))
        top = tuple(
            (self._name(int(at)), float(value))
            for at, value in zip(best.indices, best.values, strict=True)
        )
        name, own = self._name(token), float(log_p[token])
        known = any(name == other for other, _ in top)
        return Scored(name, start, own, top if known else (*top, (name, own)))

    def _name(self, token: int) -> str:
        return str(self._tokenizer.decode([token]))
