"""Natural passes over rows, block by block."""

import torch

from faast.lm.head_rows import HeadRows


def head_rows(hidden, targets, text_share=1.0):
    """Rows to learn, each of them that share of a text."""
    return HeadRows(hidden, targets, torch.full((len(targets),), text_share))


def one_pass(state, head, rows):
    """The pass after all rows."""
    while len(rows) >= (size := state.next_block()):
        state, rows = state.learn(head, rows[:size]), rows[size:]
    return state.finish(head, rows)
