"""What a model writes after prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from faast.evaluation.lm.prompting import prompt_batches
from faast.lm.documents import prompt_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from faast.evaluation.lm.prompting import LanguageModel


@torch.no_grad()
def continuations(
    model: LanguageModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 128,
    num_beams: int = 1,
    batch_size: int = 8,
    progress: bool = False,
) -> list[str]:
    """Continue prompts greedily or by beam search, up to the end of the text.

    Parameters
    ----------
    model : FaastForCausalLM or PreTrainedModel
    tokenizer : PreTrainedTokenizerBase
    prompts : sequence of str
    max_new_tokens : int
    num_beams : int
        FAAST (arXiv 2605.04651) translates with 5.
    batch_size : int
    progress : bool

    Returns
    -------
    list of str
        Without the prompts, and without the white space around.
    """
    texts = [""] * len(prompts)
    tokens = [prompt_tokens(tokenizer, prompt) for prompt in prompts]
    generator: Any = model  # a transformers model generates only if it is of a decoder's kind
    ends = tokenizer.eos_token_id
    for batch in prompt_batches(
        model, tokens, batch_size, "Generating", room=max_new_tokens, progress=progress
    ):
        written = generator.generate(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            max_new_tokens=max_new_tokens,
            num_beams=num_beams,
            do_sample=False,
            eos_token_id=ends,
            pad_token_id=0 if ends is None else ends,
        )
        fresh = written[:, batch.input_ids.shape[1] :]
        for place, text in zip(
            batch.places, tokenizer.batch_decode(fresh, skip_special_tokens=True), strict=True
        ):
            texts[place] = text.strip()
    return texts
