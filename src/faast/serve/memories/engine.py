"""One thread that generates all texts: those that wait go through the model together."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from faast.serve.failures import log_failure
from faast.serve.memories.backbone import new_settings
from faast.serve.memories.sequence import Generated
from faast.serve.problems import RequestError

if TYPE_CHECKING:
    from faast.serve.memories.attached import AttachedMemories

BATCH_ROWS = 32
"""Texts that are generated at once."""

BATCH_TOKENS = 65_536
"""Tokens that a batch may hold, padding and tokens to come included."""

TURN = 32
"""Tokens after which a batch takes in those who wait, and leaves out those who are done.

Both cost a forward pass over all tokens of the batch so far."""

MAX_WAITING = 1_024
"""Texts that may wait."""


class Engine:
    """Generates texts with memories, several in each forward pass, each with its own memory.

    Parameters
    ----------
    memories : AttachedMemories
    pad : int
        Token in front of shorter sequences.
    longest : int
        Tokens that the model can hold of a sequence.

    Attributes
    ----------
    n_generated : int
        Tokens that were generated.
    """

    def __init__(self, memories: AttachedMemories, pad: int, longest: int) -> None:
        self._memories = memories
        self._pad = pad
        self._longest = longest
        self._waiting: deque[Generated] = deque()
        self._changed = Condition()
        self._stopping = False
        self.n_generated = 0
        self._thread = Thread(target=self._run, name="generate", daemon=True)

    @property
    def waiting(self) -> int:
        """Number of texts that wait for their first token."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to generate."""
        self._thread.start()

    def close(self) -> None:
        """Stop at the next token; texts that are not at their end are given up."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def submit(self, texts: Sequence[Generated]) -> None:
        """Take texts to generate; raises a RequestError if too many wait."""
        with self._changed:
            if len(self._waiting) + len(texts) > MAX_WAITING:
                raise RequestError(
                    503, f"{MAX_WAITING} texts wait already; try again soon", {"Retry-After": "1"}
                )
            self._waiting.extend(texts)
            self._changed.notify()

    def _run(self) -> None:
        live: list[Generated] = []
        while self._join(live):
            self._end_deleted(live)
            try:
                with torch.no_grad():
                    self._begin([text for text in live if not (text.begun or text.done)])
                    self._continue([text for text in live if not text.done])
            except Exception as error:
                if not self._end_deleted(live):
                    log_failure(error, "generating")
                    for text in live:
                        if not text.done:
                            text.fail(error)
            live = [text for text in live if not text.done]
        for text in (*live, *self._waiting):
            text.fail(RequestError(503, "the server is stopping; send the request again later"))

    def _join(self, live: list[Generated]) -> bool:
        """Add those who wait, as far as they fit, waiting for one; return False to stop."""
        with self._changed:
            while not (live or self._waiting or self._stopping):
                self._changed.wait()
            while self._waiting and (not live or self._fits([*live, self._waiting[0]])):
                live.append(self._waiting.popleft())
            return not self._stopping

    def _end_deleted(self, texts: Sequence[Generated]) -> bool:
        """End the texts whose memory was deleted; return whether there were any."""
        deleted = [
            text
            for text in texts
            if not (text.done or text.memory is None or text.memory in self._memories)
        ]
        for text in deleted:
            text.fail(RequestError(404, f"the memory {text.memory!r} was deleted meanwhile"))
        return bool(deleted)

    def _fits(self, texts: Sequence[Generated]) -> bool:
        longest = max(len(text.tokens) for text in texts) + max(text.left for text in texts)
        return len(texts) <= BATCH_ROWS and len(texts) * longest <= BATCH_TOKENS

    def _begin(self, texts: Sequence[Generated]) -> None:
        """Score the prompts whose probabilities are wanted, one after the other."""
        base = self._memories.base
        for text in texts:
            logits = None
            if text.scores_prompt:
                tokens = torch.tensor([text.tokens], device=base.device)
                with self._memories.reading([text.memory]):
                    logits = base(input_ids=tokens, use_cache=False).logits[0]
            text.begin(logits)

    def _continue(self, texts: Sequence[Generated]) -> None:
        """Generate until all are done, or others wait and it is their turn."""
        if not texts:
            return
        base = self._memories.base
        before = sum(text.n_new for text in texts)
        longest = max(len(text.tokens) for text in texts)
        most = min(max(text.left for text in texts), self._longest - longest)
        rows = [[self._pad] * (longest - len(text.tokens)) + text.tokens for text in texts]
        mask = [[0] * (longest - len(text.tokens)) + [1] * len(text.tokens) for text in texts]
        with self._memories.reading([text.memory for text in texts]):
            cast("Any", base).generate(
                input_ids=torch.tensor(rows, device=base.device),
                attention_mask=torch.tensor(mask, device=base.device),
                generation_config=new_settings(
                    do_sample=False,
                    num_beams=1,
                    pad_token_id=self._pad,
                    max_new_tokens=most,  # rows that are done grow too
                ),
                logits_processor=LogitsProcessorList([_Choose(texts, self._pad)]),
                stopping_criteria=StoppingCriteriaList([_Until(texts, self._is_turn)]),
            )
        self.n_generated += sum(text.n_new for text in texts) - before

    def _is_turn(self, texts: Sequence[Generated], n_new: int) -> bool:
        """Return whether a batch ends here though some of its texts do not."""
        crowded = 2 * sum(text.done for text in texts) >= len(texts) > 1
        wanted = self._stopping or self._memories.passes.wanted
        return wanted or (n_new >= TURN and (crowded or bool(self._waiting)))


class _Choose(LogitsProcessor):
    """Lets each text choose its token, and leaves the model no other."""

    def __init__(self, texts: Sequence[Generated], pad: int) -> None:
        self.texts, self.pad = texts, pad

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        chosen = torch.full_like(scores, -torch.inf)
        for row, text in enumerate(self.texts):
            chosen[row, self._next(text, scores[row])] = 0
        return chosen

    def _next(self, text: Generated, logits: Tensor) -> int:
        if text.done:
            return self.pad
        try:
            return text.choose(logits)
        except Exception as error:  # the other texts go on
            log_failure(error, "choosing a token")
            text.fail(error)
            return self.pad


class _Until(StoppingCriteria):
    """Ends rows that are done, and all of them at a turn."""

    def __init__(self, texts: Sequence[Generated], is_turn: Any) -> None:
        self.texts, self.is_turn, self.n_new = texts, is_turn, 0

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        self.n_new += 1
        ended = self.is_turn(self.texts, self.n_new)
        return torch.tensor([ended or text.done for text in self.texts], device=input_ids.device)
