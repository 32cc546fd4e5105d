"""Generate continuations of prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from faast.evaluation.lm.prompting import batch_prompts
from faast.lm.prompts import begin_empty, prompt_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from faast.evaluation.lm.prompting import LanguageModel


@torch.no_grad()
def generate_continuations(
    model: LanguageModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 128,
    num_beams: int = 1,
    batch_size: int = 8,
    progress: bool = False,
) -> list[str]:
    """Continue each prompt until the model ends the text, greedily or by beam search.

    Parameters
    ----------
    model : FaastForCausalLM or PreTrainedModel
    tokenizer : PreTrainedTokenizerBase
    prompts : sequence of str, length n
        Prompts that leave no room for the new tokens lose their beginning, with a warning.
    max_new_tokens : int
        Largest number of tokens to generate for each prompt.
    num_beams : int
        Beams of the beam search; 1 decodes greedily. FAAST (arXiv 2605.04651) translates with 5.
    batch_size : int
        Number of prompts per batch.
    progress : bool
        Show a progress bar.

    Returns
    -------
    list of str, length n
        The new text alone, without white space around it.

    Raises
    ------
    ValueError
        If the new tokens leave no position for a prompt, or if a prompt is empty and the tokenizer
        has no token to begin a text with.
    """
    texts = [""] * len(prompts)
    tokens = begin_empty(tokenizer, [prompt_tokens(tokenizer, prompt) for prompt in prompts])
    generator: Any = model  # transformers types `generate` for decoder classes only
    end = tokenizer.eos_token_id
    for batch in batch_prompts(
        model, tokens, batch_size, "Generating", new_tokens=max_new_tokens, progress=progress
    ):
        sequences = generator.generate(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            max_new_tokens=max_new_tokens,
            num_beams=num_beams,
            do_sample=False,
            eos_token_id=end,
            pad_token_id=0 if end is None else end,
        )
        new = sequences[:, batch.input_ids.shape[1] :]
        decoded = tokenizer.batch_decode(new, skip_special_tokens=True)
        for index, text in zip(batch.indices, decoded, strict=True):
            texts[index] = text.strip()
    return texts
