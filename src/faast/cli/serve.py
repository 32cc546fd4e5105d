"""`faast serve`: teach and ask over HTTP and on a page."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from faast._utils.imports import import_optional
from faast.cli._options import Json
from faast.cli._output import emit

HOST = "127.0.0.1"
"""Only programs of this machine can reach it."""


def serve(
    folder: Annotated[
        Path,
        typer.Argument(file_okay=False, help="Folder with the tasks; created if it is missing."),
    ] = Path("tasks"),
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")
    ] = 8000,
    json: Json = False,
) -> None:
    """Teach and ask over HTTP, and on a page.

    Every model file NAME.faast of texts in the folder is a task. Each change is saved in
    NAME.faast-log before it is acknowledged. Only this machine can connect. Stop with Ctrl-C.
    """
    uvicorn: Any = import_optional("uvicorn", "serve")
    from faast.serve import create_app

    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise OSError(
                f"cannot listen on port {port}: {error.strerror}; use --port 0"
            ) from error
        app = create_app(folder)
        listener.listen()
        for name, why in app.state.folder.unserved.items():
            typer.echo(f"not served: {name}: {why}", err=True)
        address = f"http://{HOST}:{listener.getsockname()[1]}/"
        emit({"address": address, "folder": str(folder)}, json)
        sys.stdout.flush()  # a program may wait for the address
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
        server.run(sockets=[listener])
