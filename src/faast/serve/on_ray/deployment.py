"""The deployment: replicas of the application, which Ray Serve starts, scales and replaces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from ray import serve

from faast._utils.ray_session import LOCAL, session
from faast.serve.app import create_app
from faast.serve.on_ray.actors import start_folder
from faast.serve.tasks.folder import TaskFolder

NAME = "faast"


@contextmanager
def deployed(
    folder: Path, host: str, port: int, replicas: int | None = None, **options: Any
) -> Iterator[TaskFolder]:
    """Serve a folder by replicas on a Ray cluster: the one that RAY_ADDRESS names, or a new one.

    Leaving the context stops the replicas and writes the model files.

    Parameters
    ----------
    folder : Path
        Opened by actors on this machine.
    host : str
    port : int
    replicas : int, optional
        By default Ray starts as many as the requests need.
    **options
        Passed to `create_app`.

    Yields
    ------
    TaskFolder
        The folder, when the replicas answer.
    """
    with session(os.environ.get("RAY_ADDRESS") or LOCAL):
        served = start_folder(folder.absolute())

        def replica() -> Any:
            return create_app(folder, open_folder=lambda _: cast(TaskFolder, served), **options)

        deployment: Any = serve.deployment(
            serve.ingress(replica)(),
            name=NAME,
            num_replicas="auto" if replicas is None else replicas,
            max_ongoing_requests=64,
        )
        serve.start(http_options={"host": host, "port": port})
        try:
            serve.run(deployment.bind(), name=NAME)
            yield cast(TaskFolder, served)
        finally:
            serve.shutdown()  # type: ignore[no-untyped-call]
            served.stop()
