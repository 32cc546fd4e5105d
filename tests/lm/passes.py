"""Natural passes over rows, block by block."""

import torch


def one_pass(state, head, rows, targets, text_share=1.0):
    """The pass after all rows, each of them that share of a text."""
    shares, start = torch.full((len(rows),), text_share), 0
    while len(rows) - start >= (size := state.next_block()):
        block = slice(start, start + size)
        state = state.learn(head, rows[block], targets[block], shares[block])
        start += size
    return state.finish(head, rows[start:], targets[start:], shares[start:])
