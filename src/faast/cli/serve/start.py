"""`faast serve start`: listen at an address until Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from faast._utils.imports import import_optional
from faast.cli._listening import (
    HOST,
    AllowHost,
    Host,
    Port,
    Rate,
    bracketed,
    listener,
    run_server,
    tell_address,
)
from faast.cli._options import Json

if TYPE_CHECKING:
    from faast.serve.tasks.folder import TaskFolder


def start(
    folder: Annotated[
        Path,
        typer.Argument(file_okay=False, help="Folder with the tasks; created if it is missing."),
    ] = Path("tasks"),
    port: Port = 8000,
    host: Host = HOST,
    allow_host: AllowHost = None,
    rate: Rate = 100.0,
    on_ray: Annotated[
        bool,
        typer.Option(
            "--ray", help="Answer by several processes on a Ray cluster; needs the extra ray."
        ),
    ] = False,
    replicas: Annotated[
        int | None,
        typer.Option(min=1, help="Number of these processes; by default Ray chooses."),
    ] = None,
    json: Json = False,
) -> None:
    """Listen until Ctrl-C. 'faast serve FOLDER' is short for this.

    Every model file NAME.faast in the folder is a task. Each change is saved in
    NAME.faast-log before it is acknowledged. Only this machine can connect. To let others
    connect, make a token with 'faast serve token create', then start with --host.
    """
    if replicas is not None and not on_ray:
        raise ValueError("--replicas is for --ray; without it one process answers")
    from faast.serve.guard import LOOPBACK

    hosts = [*LOOPBACK, bracketed(host), *(allow_host or ())]
    if on_ray:
        _start_on_ray(folder, host, port, replicas, hosts, rate, json)
    else:
        _start_here(folder, host, port, hosts, rate, json)


def _start_here(
    folder: Path, host: str, port: int, hosts: list[str], rate: float, json: bool
) -> None:
    """Serve a folder by this process."""
    import_optional("uvicorn", "serve")
    from faast.serve import create_app

    with listener(host, port) as listening:
        app = create_app(folder, hosts, rate)
        listening.listen()
        _tell(app.state.folder, host, listening.getsockname()[1], json)
        run_server(app, listening)


def _start_on_ray(
    folder: Path,
    host: str,
    port: int,
    replicas: int | None,
    hosts: list[str],
    rate: float,
    json: bool,
) -> None:
    """Serve a folder by processes of a Ray cluster."""
    import_optional("ray.serve", "ray")
    from faast.serve.on_ray import deployed

    with listener(host, port) as listening:  # finds a free port, and whether it can be had
        port = listening.getsockname()[1]
    with deployed(folder, host, port, replicas, hosts=hosts, rate=rate) as served:
        _tell(served, host, port, json)
        Event().wait()


def _tell(folder: TaskFolder, host: str, port: int, json: bool) -> None:
    tell_address(host, port, str(folder.path), folder.unserved, json)
