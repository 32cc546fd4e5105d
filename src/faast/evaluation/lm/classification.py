"""Classify prompts by the logits of the token in which the possible answers differ."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from faast.evaluation.lm.prompting import backbone_of, batch_prompts
from faast.lm.architecture import model_inputs
from faast.lm.prompts import answer_tokens, begin_empty, shared_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from faast._utils.arrays import FloatArray
    from faast.evaluation.lm.prompting import LanguageModel


@torch.no_grad()
def answer_probabilities(
    model: LanguageModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    answers: Sequence[str],
    *,
    batch_size: int = 8,
    progress: bool = False,
) -> FloatArray:
    """Return the probability of each answer to each prompt, given that one of them is right.

    Parameters
    ----------
    model : FaastForCausalLM or PreTrainedModel
    tokenizer : PreTrainedTokenizerBase
    prompts : sequence of str, length n
    answers : sequence of str, length C
        Continuations of the prompts, such as " positive" and " negative".
    batch_size : int
        Number of prompts per batch.
    progress : bool
        Show a progress bar.

    Returns
    -------
    ndarray of shape (n, C), float64
        Each row is the softmax of the logits of the C tokens in which the answers differ.

    Raises
    ------
    ValueError
        If there are fewer than two answers, if no single token position tells all of them apart, or
        if a prompt is empty and the tokenizer has no token to begin a text with.

    Notes
    -----
    FAAST (arXiv 2605.04651) compares the logits of " positive" and " negative" at the position of
    the answer. Some tokenizers join the space before an answer to the prompt, and some answers
    share their first tokens. The tokens that all answers have in common are therefore read as part
    of the prompt, and the next token decides.
    """
    if len(answers) < 2:
        raise ValueError(f"there must be two answers or more to choose from, got {len(answers)}")
    questions = [_tokenize_question(tokenizer, prompt, answers) for prompt in prompts]
    backbone = backbone_of(model)
    can_limit_logits = "logits_to_keep" in inspect.signature(backbone.forward).parameters
    last_only = {"logits_to_keep": 1} if can_limit_logits else {}
    probabilities = np.empty((len(prompts), len(answers)))
    tokens = begin_empty(tokenizer, [question.tokens for question in questions])
    for batch in batch_prompts(model, tokens, batch_size, "Classifying", progress=progress):
        inputs = model_inputs(backbone, batch.input_ids, batch.attention_mask)
        logits = model(**inputs, use_cache=False, **last_only).logits[:, -1].double()
        candidates = torch.tensor([questions[index].candidates for index in batch.indices])
        scores = logits.gather(1, candidates.to(logits.device))
        probabilities[batch.indices] = scores.softmax(dim=1).cpu().numpy()
    return probabilities


class _Question(NamedTuple):
    """Tokens of a prompt with what its answers share, and the next token of each answer."""

    tokens: list[int]
    candidates: list[int]


def _tokenize_question(
    tokenizer: PreTrainedTokenizerBase, prompt: str, answers: Sequence[str]
) -> _Question:
    sequences = [answer_tokens(tokenizer, prompt, answer)[0] for answer in answers]
    start = shared_prefix(sequences)
    candidates = [tokens[start] for tokens in sequences if start < len(tokens)]
    if len(set(candidates)) < len(answers):
        raise ValueError(
            "the answers do not all differ in one token, so one logit each cannot tell them "
            "apart; choose other words, or generate the answers and compare them"
        )
    return _Question(sequences[0][:start], candidates)
