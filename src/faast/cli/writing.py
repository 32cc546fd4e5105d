"""Files that commands write: checked before the work, not after it."""

from __future__ import annotations

from pathlib import Path

from faast.persistence import require_place


def require_output(output: Path, *inputs: str | Path | None) -> None:
    """Check that an output can be written and is none of the files that are read.

    Raises
    ------
    OSError
        See `require_place`.
    ValueError
        It is one of the inputs.
    """
    require_place(output)
    for given in inputs:
        if given and output.exists() and Path(given).exists() and output.samefile(given):
            raise ValueError(f"{output} is read and would be overwritten; name another output")
