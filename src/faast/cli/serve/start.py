"""`faast serve start`: listen at an address until Ctrl-C."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faast._utils.imports import import_optional
from faast.cli._options import Json
from faast.cli._output import emit

if TYPE_CHECKING:
    from faast.serve.tasks.folder import TaskFolder

HOST = "127.0.0.1"
"""Only programs of this machine can reach it."""

CONNECTIONS = 1_000
"""Connections that are held at once; a request on one more is answered with 503."""


def start(
    folder: Annotated[
        Path,
        typer.Argument(file_okay=False, help="Folder with the tasks; created if it is missing."),
    ] = Path("tasks"),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")
    ] = 8000,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. Others than this machine's own need a token; see "
            "'faast serve token'."
        ),
    ] = HOST,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Host name that requests may be addressed to, such as that of a proxy in front. "
            "Can be given several times.",
        ),
    ] = None,
    rate: Annotated[
        float,
        typer.Option(
            min=0.01, help="Requests a second that each token may send; without tokens, any number."
        ),
    ] = 100.0,
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
    NAME.faast-log before it is acknowledged. Only this machine can connect, unless --host says
    otherwise.
    """
    if replicas is not None and not on_ray:
        raise ValueError("--replicas is for --ray; without it one process answers")
    from faast.serve.guard import LOOPBACK

    hosts = [*LOOPBACK, _bracketed(host), *(allow_host or ())]
    if on_ray:
        _start_on_ray(folder, host, port, replicas, hosts, rate, json)
    else:
        _start_here(folder, host, port, hosts, rate, json)


def _start_here(
    folder: Path, host: str, port: int, hosts: list[str], rate: float, json: bool
) -> None:
    """Serve a folder by this process."""
    uvicorn: Any = import_optional("uvicorn", "serve")
    from faast.serve import create_app

    with _listener(host, port) as listener:
        app = create_app(folder, hosts, rate)
        listener.listen()
        _tell(app.state.folder, host, listener.getsockname()[1], json)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, limit_concurrency=CONNECTIONS
        )
        uvicorn.Server(config).run(sockets=[listener])


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

    with _listener(host, port) as listener:  # finds a free port, and whether it can be had
        port = listener.getsockname()[1]
    with deployed(folder, host, port, replicas, hosts=hosts, rate=rate) as served:
        _tell(served, host, port, json)
        Event().wait()


def _tell(folder: TaskFolder, host: str, port: int, json: bool) -> None:
    """Print the address, and what of the folder is not served."""
    for name, why in folder.unserved.items():
        typer.echo(f"not served: {name}: {why}", err=True)
    address = f"http://{_bracketed(host)}:{port}/"
    emit({"address": address, "folder": str(folder.path)}, json)
    sys.stdout.flush()  # a program may wait for the address


def _listener(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address."""
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}, port {port}: {error.strerror}; --port 0 takes any free port"
        ) from error
    return listener


def _bracketed(host: str) -> str:
    """Return a host as addresses have it."""
    return f"[{host}]" if ":" in host else host
