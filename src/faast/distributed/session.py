"""A connection to Ray: the one that there is, a cluster's, or one started here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from faast._utils.imports import import_optional

LOCAL = "local"


@contextmanager
def session(address: str = LOCAL) -> Iterator[Any]:
    """Connect to Ray, and leave it again; a connection that there is already is used and kept.

    Parameters
    ----------
    address : str
        "local" starts Ray on this machine; "auto", "host:port" or "ray://host:port" name a cluster.

    Yields
    ------
    module
        Ray.

    Raises
    ------
    ImportError
        Ray is not installed.
    ConnectionError
        There is no cluster at this address.
    ChildProcessError
        Workers, or what they held, were lost more often than they are started again.
    """
    ray = import_optional("ray", "ray")
    with _plain_errors(ray):
        if ray.is_initialized():
            yield ray
            return
        quiet = {"logging_level": "CRITICAL", "log_to_driver": False}
        if address == LOCAL:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent unless asked
            ray.init(address=LOCAL, include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def _plain_errors(ray: Any) -> Iterator[None]:
    """Raise what failed on a worker as if it had failed here."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        cause = error
        while isinstance(cause, ray.exceptions.RayTaskError):
            cause = cause.cause
        if not isinstance(cause, ray.exceptions.RayError):
            raise cause from None
        raise _lost(cause) from error
    except ray.exceptions.RayError as error:
        raise _lost(error) from error


def _lost(error: Exception) -> ChildProcessError:
    reason = str(error).strip().partition("\n")[0]
    return ChildProcessError(
        f"Ray lost workers for good ({type(error).__name__}: {reason}); often memory ran out: take "
        "fewer workers or smaller parts"
    )
