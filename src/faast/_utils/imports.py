"""Packages that only some features need, imported at call time."""

from __future__ import annotations

import importlib
from typing import Any

_DISTRIBUTIONS = {"PIL": "pillow", "sentence_transformers": "sentence-transformers"}
"""What pip calls packages that are imported by another name."""


def import_optional(module: str, extra: str) -> Any:
    """Import an optional package.

    Parameters
    ----------
    module : str
        Dotted name.
    extra : str
        The extra of this package that installs it.

    Raises
    ------
    ImportError
        It is not installed; the message says what to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is there, something that it needs is not
        distribution = _DISTRIBUTIONS.get(package, package)
        raise ImportError(
            f'{distribution} is not installed; install it with: pip install "faast[{extra}]"'
        ) from error
