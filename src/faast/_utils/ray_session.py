"""Connect to Ray: use the open connection, join a cluster, or start Ray on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from faast._utils.imports import import_optional

LOCAL = "local"


@contextmanager
def session(address: str = LOCAL) -> Iterator[Any]:
    """Connect to Ray and disconnect at the end.

    If the process is already connected, `address` is ignored and the connection stays open.

    Parameters
    ----------
    address : str
        "local" starts Ray on this machine; "auto", "host:port" or "ray://host:port" join a cluster.

    Yields
    ------
    module
        Ray.

    Raises
    ------
    ImportError
        If Ray is not installed.
    ConnectionError
        If there is no cluster at this address.
    """
    ray = import_optional("ray", "ray")
    if ray.is_initialized():
        yield ray
        return
    quiet = {"logging_level": "CRITICAL", "log_to_driver": False}
    if address == LOCAL:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # send nothing unless asked to
        ray.init(address=LOCAL, include_dashboard=False, **quiet)
    else:
        ray.init(address=address, **quiet)
    try:
        yield ray
    finally:
        ray.shutdown()
