"""The folders that benchmarks read and write.

Public data sets lie in the folder that ``FAAST_SHARED`` names, or in ``shared`` beside this
repository. What is slow to make is kept in ``FAAST_CACHE``, or in ``~/.cache/faast``.
"""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
RESULTS = REPOSITORY / "results"
DATA = Path(os.environ.get("FAAST_SHARED") or REPOSITORY.parent / "shared") / "data"
CACHE = Path(os.environ.get("FAAST_CACHE") or Path("~/.cache/faast").expanduser())


def results_folder(area: str, quick: bool = False) -> Path:
    """Return the folder of an area's pages, and create it.

    Parameters
    ----------
    area : {"features", "lm", "scale"}
    quick : bool
        Quick runs write below results/quick, which git ignores, and replace no page.
    """
    folder = (RESULTS / "quick" if quick else RESULTS) / area
    folder.mkdir(parents=True, exist_ok=True)
    return folder
