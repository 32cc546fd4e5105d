"""`faast lm serve`: let other programs use memories by name, over OpenAI's API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faast._utils.imports import import_optional
from faast._utils.transformers_logging import silence_transformers
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
from faast.cli.lm._model import validate_device
from faast.cli.lm._options import Device, Dtype, NumberFormat


def serve(
    folder: Annotated[
        Path,
        typer.Argument(
            file_okay=False,
            help="Folder with the memories; created if it is missing.",
            show_default=False,
        ),
    ],
    base: Annotated[
        str,
        typer.Option(
            help="Model that the memories were learned with: its name on Hugging Face, its "
            "folder, or a GGUF file.",
            show_default=False,
        ),
    ],
    port: Port = 8000,
    host: Host = HOST,
    allow_host: AllowHost = None,
    rate: Rate = 100.0,
    device: Device = "cpu",
    dtype: NumberFormat = Dtype.AUTO,
    json: Json = False,
) -> None:
    """Let other programs use memories by name.

    Every memory in FOLDER that 'faast lm learn' wrote is a model of its own to programs that speak
    OpenAI's API: give them the address that is printed, with /v1 behind it, and the name of a
    memory as the model. All memories share one model in the computer's memory, and questions to
    different ones are answered together. Runs until Ctrl-C; only this machine can connect, unless
    --host says otherwise.
    """
    import_optional("uvicorn", "serve")
    silence_transformers("lm")
    validate_device(device)
    from faast.serve.guard import LOOPBACK
    from faast.serve.memories.app import create_memory_app
    from faast.serve.memories.backbone import ServedBackbone

    hosts = [*LOOPBACK, bracketed(host), *(allow_host or ())]
    with listener(host, port) as listening:
        backbone = ServedBackbone.load(base, dtype=dtype.value, device_map=device)
        app = create_memory_app(folder, backbone, hosts, rate)
        listening.listen()
        port = listening.getsockname()[1]
        tell_address(host, port, str(folder), app.state.folder.unserved, json)
        run_server(app, listening)
