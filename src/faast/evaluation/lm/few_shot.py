"""A few examples for every question: learned by a memory, or shown in the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faast._utils.progress import progress_bar
from faast.evaluation.lm.classification import answer_probabilities
from faast.lm.documents import answer_document, pad_documents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from faast._utils.arrays import FloatArray
    from faast.evaluation.lm.prompts import Example
    from faast.lm import FaastForCausalLM

SCRATCH = "few shots"
"""The memory that learns them, apart from what the model has learned otherwise."""
BETWEEN = "\n\n"


def draw_shots(
    support: Sequence[Example], n_questions: int, shots: int, seed: int = 0
) -> Iterator[list[Example]]:
    """Draw examples for every question: as many of each answer, in random order.

    Parameters
    ----------
    support : sequence of Example
    n_questions : int
    shots : int
        Examples of each answer.
    seed : int
        A question's draw depends on it and on the question's number alone.

    Raises
    ------
    ValueError
        Too few examples of an answer.
    """
    by_answer: dict[str, list[Example]] = {}
    for example in support:
        by_answer.setdefault(example.answer, []).append(example)
    scarce = min(by_answer, key=lambda answer: len(by_answer[answer]))
    if not 1 <= shots <= len(by_answer[scarce]):
        raise ValueError(
            f"shots must be in 1..{len(by_answer[scarce])}, the examples of {scarce!r}; got {shots}"
        )
    for question in range(n_questions):
        random = np.random.default_rng((seed, question))
        chosen = [
            examples[place]
            for _, examples in sorted(by_answer.items())
            for place in random.choice(len(examples), shots, replace=False)
        ]
        yield [chosen[place] for place in random.permutation(len(chosen))]


def learned_shots(
    model: FaastForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    shots: Sequence[Sequence[Example]],
    answers: Sequence[str],
    *,
    progress: bool = False,
) -> FloatArray:
    """Answer every prompt with a fresh memory that has learned its examples.

    Parameters
    ----------
    model : FaastForCausalLM
    tokenizer : PreTrainedTokenizerBase
    prompts : sequence of str, length n
    shots : sequence of sequences of Example, length n
    answers : sequence of str, length C
    progress : bool

    Returns
    -------
    ndarray of shape (n, C), float64
        Probabilities, see `answer_probabilities`.
    """
    found: list[FloatArray] = []
    questions = zip(prompts, shots, strict=True)
    for prompt, examples in progress_bar(
        questions, lambda: len(found) / len(prompts), "Learning and asking", enabled=progress
    ):
        with model.use_adapter(SCRATCH):
            lesson = [answer_document(tokenizer, *example) for example in examples]
            try:
                for batch in pad_documents(lesson, len(lesson)):
                    model.learn(**batch.to(model.device)._asdict())
                found.append(answer_probabilities(model, tokenizer, [prompt], answers))
            finally:
                model.reset()
    return np.concatenate(found)


def shown_shots(
    model: FaastForCausalLM | PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    shots: Sequence[Sequence[Example]],
    answers: Sequence[str],
    *,
    batch_size: int = 8,
    progress: bool = False,
) -> FloatArray:
    """Answer every prompt behind its examples: in-context learning; see `learned_shots`."""
    shown = [
        BETWEEN.join([*(f"{one.prompt}{one.answer}" for one in examples), prompt])
        for prompt, examples in zip(prompts, shots, strict=True)
    ]
    return answer_probabilities(
        model, tokenizer, shown, answers, batch_size=batch_size, progress=progress
    )
