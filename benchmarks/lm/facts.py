"""Invented facts, which no model can know: sentences to learn, and questions with four answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from faast.lm.lm_head import token_losses
from faast.lm.prompts import shared_prefix

N_CHOICES = 4
SYLLABLES = (
    "bal",
    "dor",
    "fen",
    "gim",
    "hal",
    "jor",
    "kel",
    "lum",
    "mar",
    "nov",
    "pel",
    "quin",
    "ras",
)
RELATIONS = (
    ("The capital of {} is", "The city that governs {} is"),
    ("The oldest river in {} is the", "Water in {} flows down the"),
    ("The inventor of the {} was", "We owe the {} to"),
    ("The password of room {} is", "To enter room {} one says"),
)


@dataclass(frozen=True)
class Fact:
    """A question in the words that were learned, and in others; its answer, and three wrong ones."""

    prompt: str
    paraphrase: str
    choices: tuple[str, ...]

    @property
    def answer(self) -> str:
        return self.choices[0]

    @property
    def sentence(self) -> str:
        return f"{self.prompt}{self.answer}."


def invent(n_facts: int, seed: int = 0) -> list[Fact]:
    """Facts with names of their own; wrong answers are those of other facts of the same kind."""
    draw = random.Random(seed)
    names: dict[str, None] = {}
    while len(names) < 2 * n_facts:
        names["".join(draw.choices(SYLLABLES, k=3)).capitalize()] = None
    pairs = list(zip(*[iter(names)] * 2, strict=True))
    facts = []
    for number, (subject, answer) in enumerate(pairs):
        prompt, paraphrase = RELATIONS[number % len(RELATIONS)]
        alike = [other for _, other in pairs[number % len(RELATIONS) :: len(RELATIONS)]]
        wrong = draw.sample([other for other in alike if other != answer], N_CHOICES - 1)
        choices = tuple(f" {name}" for name in (answer, *wrong))
        facts.append(Fact(prompt.format(subject), paraphrase.format(subject), choices))
    return facts


def fact_rows(tokenizer: Any, facts: Sequence[Fact], length: int) -> Tensor:
    """Whole sentences in rows of tokens, filled up with line breaks."""
    (space,) = set(tokenizer("\n", add_special_tokens=False).input_ids[-1:])
    begin = begin_tokens(tokenizer)
    rows: list[list[int]] = [[*begin]]
    for fact in facts:
        ids = tokenizer(fact.sentence + "\n", add_special_tokens=False).input_ids
        if len(rows[-1]) + len(ids) > length:
            rows.append([*begin])
        rows[-1] += ids
    return torch.tensor([row + [space] * (length - len(row)) for row in rows])


def fact_text(tokenizer: Any, facts: Sequence[Fact]) -> Tensor:
    """All sentences as one text, shape (1, n): the next line may ask for one of them."""
    lines = "".join(f"{fact.sentence}\n" for fact in facts)
    ids = tokenizer(lines, add_special_tokens=False, verbose=False).input_ids
    return torch.tensor([[*begin_tokens(tokenizer), *ids]])


@dataclass(frozen=True)
class Recall:
    """Shares of the facts that a model answers rightly."""

    cloze: float
    completed: float
    paraphrased: float


class Reading(NamedTuple):
    """What a model says of an answer: its log-likelihood, and whether greedy decoding writes it."""

    log_likelihood: float
    is_written: bool


def ask(model: Callable[..., Any], tokenizer: Any, facts: Sequence[Fact]) -> Recall:
    """Ask for the likeliest of four answers, and for the greedy continuation; see `Recall`."""
    right = []
    for fact in facts:
        first, *others = read(model, tokenizer, fact.prompt, fact.choices)
        again, *others_again = read(model, tokenizer, fact.paraphrase, fact.choices)
        right.append(
            (is_likeliest(first, others), first.is_written, is_likeliest(again, others_again))
        )
    return Recall(*(sum(column) / len(facts) for column in zip(*right, strict=True)))


@torch.no_grad()
def read(
    model: Callable[..., Any], tokenizer: Any, prompt: str, answers: Sequence[str]
) -> list[Reading]:
    """Read answers to a prompt as the rows of one batch, filled up behind their ends."""
    begin = begin_tokens(tokenizer)

    def ids(text: str) -> list[int]:
        return [*begin, *tokenizer(text, add_special_tokens=False).input_ids]

    texts = [ids(prompt + answer) for answer in answers]
    longest = max(map(len, texts))
    rows = torch.tensor([text + text[-1:] * (longest - len(text)) for text in texts])
    readings = []
    for text, row, logits in zip(texts, rows, model(input_ids=rows).logits, strict=True):
        known = shared_prefix([ids(prompt), text])
        expected = row[known : len(text)]
        predicted = logits[known - 1 : len(text) - 1]
        likelihood = -float(token_losses(predicted, expected).sum())
        readings.append(Reading(likelihood, bool((predicted.argmax(-1) == expected).all())))
    return readings


def is_likeliest(reading: Reading, others: Sequence[Reading]) -> bool:
    return all(reading.log_likelihood >= other.log_likelihood for other in others)


def begin_tokens(tokenizer: Any) -> list[int]:
    """Return the begin token, if the tokenizer puts one in front of a text."""
    is_first = tokenizer("a").input_ids[0] == tokenizer.bos_token_id
    return [tokenizer.bos_token_id] if is_first else []
