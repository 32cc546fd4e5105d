"""The number of pairs that a saved memory has learned, read without its backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faast.core.state import State


def count_saved_pairs(memory: State) -> int:
    """Return the number of pairs that a memory has learned, as its parts keep it in a file.

    Parameters
    ----------
    memory : State
        What `Memory.to_state` returned. Its parts have learned the same pairs, so that one of them
        is asked.

    Raises
    ------
    KeyError
        It is no state of a memory.
    """
    part = memory.part(min(memory.metadata))
    if "n_pairs" in part.metadata:  # RecallMemory
        return int(part.metadata["n_pairs"])
    if "natural_pass" in part.metadata:  # NaturalOutput: whole blocks, and rows that wait for one
        return int(part.metadata["natural_pass"]["count"]) + len(part.tensors["rows.targets"])
    pairs = part.part("pairs")
    if "folded_count" in pairs.metadata:  # PairBuffer: blocks that were averaged, and the others
        return round(pairs.metadata["folded_count"] + len(pairs.tensors["keys"]))
    return int(pairs.tensors["moments.count"])  # ExactPairs
