"""Packages that only some features need, imported at call time."""

from __future__ import annotations

import importlib
from typing import Any


def require(module: str, extra: str) -> Any:
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
        raise ImportError(
            f'{package} is not installed; install it with: pip install "faast[{extra}]"'
        ) from error
