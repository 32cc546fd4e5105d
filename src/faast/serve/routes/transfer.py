"""Take a task away, as a model file, an ONNX graph or its rows, and bring a model file in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from faast.serve.jobs.tables import write_csv, write_json
from faast.serve.jobs.upload import COLUMNS
from faast.serve.problems import RESPONSES, RequestError
from faast.serve.routes.dependencies import Folder, TheJobs, TheTask, taught_state
from faast.serve.routes.receive import BODY, receive_file
from faast.serve.routes.tasks import Name, TaskAnswer, describe

router = APIRouter(prefix="/v1", tags=["transfer"], responses=RESPONSES)

BINARY = "application/octet-stream"

TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}


def _answers(*types: str) -> dict[int | str, dict[str, Any]]:
    """Describe a download in the OpenAPI document."""
    return {200: {"content": {media_type: {} for media_type in types}}}


@router.get("/tasks/{task}/model", response_class=Response, responses=_answers(BINARY))
def download_model(task: TheTask) -> Response:
    """Download the model as a .faast file, which `faast.load` and `faast predict` take."""
    return _file(task.export(), f"{task.name}.faast")


@router.get("/tasks/{task}/onnx", response_class=Response, responses=_answers(BINARY))
def download_onnx(task: TheTask) -> Response:
    """Download an ONNX graph that predicts from features, as `faast export` writes it."""
    state = taught_state(task)
    state.solve()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        try:
            state.features_model.to_onnx(path)
        except ImportError as error:
            raise RequestError(501, f"this server cannot write ONNX: {error}") from error
        except ValueError as error:
            raise RequestError(409, f"the model has no ONNX graph: {error}") from error
        return _file(path.read_bytes(), f"{task.name}.onnx")


@router.get("/tasks/{task}/export", response_class=Response, responses=_answers(*TYPES.values()))
def export_rows(task: TheTask, format: Literal["csv", "jsonl"]) -> Response:
    """Download the rows of one moment with their labels, as an upload takes them.

    In CSV an apostrophe stands before texts that a spreadsheet would run as a formula; an upload
    reads them without it. Rows that the task does not keep are left out.
    """
    if task.kind != "numbers" and not task.keep_rows:
        raise RequestError(
            409, f"the task {task.name} keeps no rows as they were given; download its model"
        )
    try:
        with ExitStack() as failing:
            file = failing.enter_context(tempfile.TemporaryFile())
            # all of the log at once, however slow the client is
            rows, column = task.given(), COLUMNS[task.kind]
            if format == "csv":
                lines = write_csv(rows, column, task.columns)
            else:
                lines = write_json(rows, column)
            file.writelines(line.encode() for line in lines)
            file.seek(0)
            failing.pop_all()
    except OSError as error:
        raise RequestError(507, f"the rows could not be collected: {error}") from error
    name = {"Content-Disposition": f'attachment; filename="{task.name}.{format}"'}
    return StreamingResponse(_parts(file), media_type=TYPES[format], headers=name)


@router.post("/import", status_code=201, openapi_extra=BODY)
async def import_model(name: Name, folder: Folder, jobs: TheJobs, request: Request) -> TaskAnswer:
    """Create a task from a .faast file, which is the body, with all that it has learned."""
    incoming = jobs.incoming()
    async with receive_file(request, incoming):
        return await run_in_threadpool(_adopt, folder, name, incoming)


def _adopt(folder: Folder, name: str, incoming: Path) -> TaskAnswer:
    return describe(folder.adopt(name, incoming))


def _file(content: bytes, name: str) -> Response:
    return Response(
        content,
        media_type=BINARY,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(2**16):
            yield part
