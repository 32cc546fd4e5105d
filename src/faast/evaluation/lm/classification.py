"""Classification by the token in which the answers differ."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import numpy as np
import torch

from faast.evaluation.lm.prompting import backbone_of, prompt_batches
from faast.lm.architecture import model_inputs
from faast.lm.documents import prompt_tokens, shared_prefix

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
    """Compare answers by the logits of the first token in which they differ.

    Parameters
    ----------
    model : FaastForCausalLM or PreTrainedModel
    tokenizer : PreTrainedTokenizerBase
    prompts : sequence of str, length n
    answers : sequence of str, length C
        Continuations of the prompts, such as " positive" and " negative".
    batch_size : int
    progress : bool

    Returns
    -------
    ndarray of shape (n, C), float64
        Probabilities, given that the answer is one of them.

    Raises
    ------
    ValueError
        Fewer than two answers, or two that begin with the same token where a third differs.

    Notes
    -----
    FAAST (arXiv 2605.04651): the logit of " positive" against that of " negative" at the answer's
    position. Tokenizers that let the space belong to the token before it make the answers begin
    alike; what they share is part of the question here.
    """
    if len(answers) < 2:
        raise ValueError(f"there must be two answers or more to choose from, got {len(answers)}")
    questions: list[list[int]] = []
    candidates: list[list[int]] = []
    for prompt in prompts:
        wholes = [prompt_tokens(tokenizer, prompt + answer) for answer in answers]
        at = shared_prefix(wholes)
        firsts = [whole[at] if at < len(whole) else -1 for whole in wholes]
        if len(set(firsts)) < len(answers) or -1 in firsts:
            raise ValueError(
                "the answers do not all differ in one token, so one logit each cannot tell them "
                "apart; choose other words, or generate the answers and compare them"
            )
        questions.append(wholes[0][:at])
        candidates.append(firsts)
    takes = inspect.signature(backbone_of(model).forward).parameters
    last = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
    found = np.empty((len(prompts), len(answers)))
    for batch in prompt_batches(model, questions, batch_size, "Classifying", progress=progress):
        inputs = model_inputs(backbone_of(model), batch.input_ids, batch.attention_mask)
        logits = model(**inputs, use_cache=False, **last).logits[:, -1].double()
        chosen = torch.tensor([candidates[place] for place in batch.places], device=logits.device)
        found[batch.places] = logits.gather(1, chosen).softmax(dim=1).cpu().numpy()
    return found
