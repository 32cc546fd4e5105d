"""Silence the log messages and progress bars of transformers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from faast._utils.imports import import_optional


def silence_transformers(extra: str) -> None:
    """Let transformers report errors only, and draw no progress bars, from now on.

    Parameters
    ----------
    extra : str
        The extra of this package that installs transformers.

    Raises
    ------
    ImportError
        If transformers is not installed.
    """
    logging = import_optional("transformers.utils.logging", extra)
    logging.disable_progress_bar()
    logging.set_verbosity_error()


@contextmanager
def quiet_transformers(extra: str) -> Iterator[None]:
    """Silence transformers until the block ends, then restore its settings.

    Parameters
    ----------
    extra : str
        The extra of this package that installs transformers.

    Raises
    ------
    ImportError
        If transformers is not installed.
    """
    logging = import_optional("transformers.utils.logging", extra)
    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    silence_transformers(extra)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
