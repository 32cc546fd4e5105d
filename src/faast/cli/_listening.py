"""Listening at an address until Ctrl-C, for every command that serves."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from faast._utils.imports import import_optional
from faast.cli._output import emit

HOST = "127.0.0.1"
"""Only programs of this machine can reach it."""

CONNECTIONS = 1_000
"""Connections that are held at once; a request on one more is answered with 503."""

Port = Annotated[
    int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")
]
Host = Annotated[
    str,
    typer.Option(
        help="Address to listen on. Others than this machine's own need a token; see "
        "'faast serve token'."
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Host name that requests may be addressed to, such as that of a proxy in front. "
        "Can be given several times.",
    ),
]
Rate = Annotated[
    float,
    typer.Option(
        min=0.01, help="Requests a second that each token may send; without tokens, any number."
    ),
]


def run_server(app: Any, listening: socket.socket) -> None:
    """Answer requests at a socket until Ctrl-C."""
    uvicorn: Any = import_optional("uvicorn", "serve")
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, limit_concurrency=CONNECTIONS
    )
    uvicorn.Server(config).run(sockets=[listening])


def tell_address(
    host: str, port: int, folder: str, unserved: Mapping[str, str], json: bool
) -> None:
    """Print the address, and what of the folder is not served."""
    for name, why in unserved.items():
        typer.echo(f"not served: {name}: {why}", err=True)
    emit({"address": f"http://{bracketed(host)}:{port}/", "folder": folder}, json)
    sys.stdout.flush()  # a program may wait for the address


def listener(host: str, port: int) -> socket.socket:
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


def bracketed(host: str) -> str:
    """Return a host as addresses have it."""
    return f"[{host}]" if ":" in host else host
