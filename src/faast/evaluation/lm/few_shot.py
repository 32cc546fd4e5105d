"""Few-shot classification: learn a few examples for each prompt, or show them in the prompt."""

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

ADAPTER = "few shots"
"""Name of the memory that learns the examples, apart from what the model learned before."""

SEPARATOR = "\n\n"
"""Text between the examples of an in-context prompt."""


def draw_shots(
    support: Sequence[Example], n_prompts: int, shots: int, seed: int = 0
) -> Iterator[list[Example]]:
    """Draw examples for each prompt: the same number of each answer, in random order.

    Parameters
    ----------
    support : sequence of Example
        Examples to draw from, without replacement for each prompt.
    n_prompts : int
    shots : int
        Number of examples of each answer.
    seed : int
        The examples of a prompt depend only on the seed and on the prompt's number.

    Yields
    ------
    list of Example
        ``shots`` examples of each answer.

    Raises
    ------
    ValueError
        If an answer has fewer than ``shots`` examples, or if ``shots`` is less than one.
    """
    by_answer: dict[str, list[Example]] = {}
    for example in support:
        by_answer.setdefault(example.answer, []).append(example)
    rarest = min(by_answer, key=lambda answer: len(by_answer[answer]))
    if not 1 <= shots <= len(by_answer[rarest]):
        raise ValueError(
            f"shots must be in 1..{len(by_answer[rarest])}, the examples of {rarest!r}; got {shots}"
        )
    for number in range(n_prompts):
        random = np.random.default_rng((seed, number))
        chosen = [
            examples[index]
            for _, examples in sorted(by_answer.items())
            for index in random.choice(len(examples), shots, replace=False)
        ]
        yield [chosen[index] for index in random.permutation(len(chosen))]


def memory_probabilities(
    model: FaastForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    shots: Sequence[Sequence[Example]],
    answers: Sequence[str],
    *,
    progress: bool = False,
) -> FloatArray:
    """Classify each prompt with a new memory that has learned the prompt's examples.

    Parameters
    ----------
    model : FaastForCausalLM
        What it has learned before is neither used nor changed.
    tokenizer : PreTrainedTokenizerBase
    prompts : sequence of str, length n
    shots : sequence of sequence of Example, length n
        Examples of each prompt.
    answers : sequence of str, length C
    progress : bool
        Show a progress bar.

    Returns
    -------
    ndarray of shape (n, C), float64
        Probabilities of the answers; see `answer_probabilities`.
    """
    rows: list[FloatArray] = []
    steps = progress_bar(
        zip(prompts, shots, strict=True),
        lambda: len(rows) / len(prompts),
        "Classifying",
        enabled=progress,
    )
    for prompt, examples in steps:
        documents = [answer_document(tokenizer, *example) for example in examples]
        with model.use_adapter(ADAPTER):
            try:
                for batch in pad_documents(documents, len(documents)):
                    model.learn(**batch.to(model.device)._asdict())
                rows.append(answer_probabilities(model, tokenizer, [prompt], answers))
            finally:
                model.reset()
    return np.concatenate(rows)


def in_context_probabilities(
    model: FaastForCausalLM | PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    shots: Sequence[Sequence[Example]],
    answers: Sequence[str],
    *,
    batch_size: int = 8,
    progress: bool = False,
) -> FloatArray:
    """Classify each prompt with its examples written in front of it.

    Parameters
    ----------
    model : FaastForCausalLM or PreTrainedModel
    tokenizer : PreTrainedTokenizerBase
    prompts : sequence of str, length n
    shots : sequence of sequence of Example, length n
        Examples of each prompt.
    answers : sequence of str, length C
    batch_size : int
        Number of prompts per batch.
    progress : bool
        Show a progress bar.

    Returns
    -------
    ndarray of shape (n, C), float64
        Probabilities of the answers; see `answer_probabilities`.
    """
    with_examples = [
        SEPARATOR.join([*(example.prompt + example.answer for example in examples), prompt])
        for prompt, examples in zip(prompts, shots, strict=True)
    ]
    return answer_probabilities(
        model, tokenizer, with_examples, answers, batch_size=batch_size, progress=progress
    )
