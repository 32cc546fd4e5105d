"""Errors of workers, raised as if they had happened in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def unwrap_errors(ray: Any) -> Iterator[None]:
    """Raise the error of a worker without Ray's wrapper around it.

    Raises
    ------
    ChildProcessError
        If workers died more often than they may be started again.
    """
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        cause = error
        while isinstance(cause, ray.exceptions.RayTaskError):
            cause = cause.cause
        if not isinstance(cause, ray.exceptions.RayError):
            raise cause from None
        raise _workers_lost(cause) from error
    except ray.exceptions.RayError as error:
        raise _workers_lost(error) from error


def _workers_lost(error: Exception) -> ChildProcessError:
    reason = str(error).strip().partition("\n")[0]
    return ChildProcessError(
        f"Ray lost workers for good ({type(error).__name__}: {reason}); often the cause is too "
        "little memory: use fewer workers or smaller partitions"
    )
