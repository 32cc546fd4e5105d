"""Texts one after another, cut into windows: what language models are trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase


def text_windows(
    tokenizer: PreTrainedTokenizerBase, documents: Sequence[str], window: int
) -> Tensor:
    """Tokenise documents and cut them, one after another, into windows.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        Its end-of-text token, where it has one, stands behind each document.
    documents : sequence of str
    window : int
        Tokens a window.

    Returns
    -------
    Tensor of shape (n, window), int64
        What does not fill a window is left out.

    Raises
    ------
    ValueError
        A window of less than two tokens, or less text than one window.
    """
    if window < 2:
        raise ValueError(f"a window needs at least two tokens, got {window}")
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    encoded = tokenizer(list(documents), add_special_tokens=False, verbose=False).input_ids
    tokens = torch.tensor([token for ids in encoded for token in (*ids, *end)], dtype=torch.long)
    n_windows = len(tokens) // window
    if not n_windows:
        raise ValueError(
            f"the texts have {len(tokens)} tokens, less than one window of {window}; give more "
            "text or a shorter window"
        )
    return tokens[: n_windows * window].view(n_windows, window)
