"""Imports of optional packages, with an error that says what to install."""

from __future__ import annotations

import importlib
from typing import Any

_DISTRIBUTIONS = {"PIL": "pillow", "sentence_transformers": "sentence-transformers"}
"""Name on the package index of each module that is imported by another name."""


def import_optional(module: str, extra: str) -> Any:
    """Import a module of an optional package and return it.

    Parameters
    ----------
    module : str
        Dotted name, such as "PIL.Image".
    extra : str
        The extra of faast that installs the package.

    Raises
    ------
    ImportError
        If the package is not installed; the message names the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is installed, but one of its own dependencies is missing
        distribution = _DISTRIBUTIONS.get(package, package)
        raise ImportError(
            f'{distribution} is not installed; install it with: pip install "faast[{extra}]"'
        ) from error
