"""The Open Inference Protocol v2: health, metadata and inference of tasks as models.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md. Models have no
versions here: the state that answered is a parameter of the answer, and no route has `versions`.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from faast._version import __version__
from faast.encoders.base import Features
from faast.serve.fields import MAX_LABEL, MAX_ROWS, Finite, Pictures, Texts
from faast.serve.problems import RESPONSES, RequestError
from faast.serve.routes.ask import encode
from faast.serve.routes.dependencies import Folder, taught_state
from faast.serve.routes.quickly import answer, is_quick
from faast.serve.tasks.counters import count_novelty
from faast.serve.tasks.kinds import Kind
from faast.serve.tasks.state import TaskState
from faast.serve.tasks.task import Task

router = APIRouter(prefix="/v2", tags=["open inference protocol"], responses=RESPONSES)

RAW_INPUTS: dict[Kind, str] = {"texts": "text", "pictures": "picture"}
"""Name of the input that takes rows as they are; every task takes `features` too."""

Shape = Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1, max_length=2)]
Flat = Annotated[list[Finite], Field(min_length=1)]


class Strict(BaseModel):
    """Base class of requests: members that the protocol may have are ignored."""

    model_config = ConfigDict(strict=True)


class TextInput(Strict):
    """Texts."""

    name: Literal["text"]
    shape: Shape
    datatype: Literal["BYTES"]
    data: Texts


class PictureInput(Strict):
    """Pictures, each as the base64 of its file."""

    name: Literal["picture"]
    shape: Shape
    datatype: Literal["BYTES"]
    data: Pictures


class FeaturesInput(Strict):
    """The numbers that rows are, or what the encoder of the task makes of them, row by row."""

    name: Literal["features"]
    shape: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]
    datatype: Literal["FP32", "FP64"]
    data: Flat | Annotated[list[Flat], Field(min_length=1, max_length=MAX_ROWS)]


class InferenceOutput(BaseModel):
    """An output that is asked for."""

    name: Literal["label", "probability", "novelty"]


class Inference(Strict):
    """A request; without `outputs`, the labels and probabilities are answered."""

    id: Annotated[str, Field(max_length=MAX_LABEL)] | None = None
    inputs: Annotated[
        list[Annotated[TextInput | PictureInput | FeaturesInput, Field(discriminator="name")]],
        Field(min_length=1, max_length=1),
    ]
    outputs: Annotated[list[InferenceOutput], Field(max_length=3)] = []

    def is_quick(self, task: Task) -> bool:
        """Tell whether the rows are labelled in a few milliseconds."""
        given = self.inputs[0]
        if isinstance(given, PictureInput) or any(out.name == "novelty" for out in self.outputs):
            return False
        length = math.prod(given.shape) if given.name == "features" else sum(map(len, given.data))
        return is_quick(task, given.shape[0], length)


class Listing(BaseModel):
    """Which models to list: all, or only those that can answer."""

    ready: bool = False


@router.get("/health/live")
@router.get("/health/ready")
async def health() -> dict[str, bool]:
    """Say that the server answers; it starts to listen when all tasks are replayed."""
    return {"live": True}


@router.get("")
def server() -> dict[str, Any]:
    """Describe the server."""
    return {"name": "faast", "version": __version__, "extensions": ["model_repository"]}


@router.post("/repository/index")
def list_models(listing: Listing, folder: Folder) -> list[dict[str, str]]:
    """List the tasks, and say which can answer."""
    models = [(task.name, task.state.can_answer) for task in folder.tasks]
    return [
        {"name": name, "state": "READY", "reason": ""}
        if ready
        else {"name": name, "state": "UNAVAILABLE", "reason": "it has learned nothing yet"}
        for name, ready in models
        if ready or not listing.ready
    ]


@router.get("/models/{model}")
def metadata(model: str, folder: Folder) -> dict[str, Any]:
    """Describe a task; `classes` are in the order of the probabilities."""
    task = folder.task(model)
    state = task.state
    classes, raw = list(state.classes), RAW_INPUTS.get(task.kind)
    inputs = [{"name": "features", "datatype": "FP32", "shape": [-1, state.width or -1]}]
    if raw is not None:
        inputs.insert(0, {"name": raw, "datatype": "BYTES", "shape": [-1]})
    return {
        "name": model,
        "platform": "faast_safetensors",
        "inputs": inputs,
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "probability", "datatype": "FP64", "shape": [-1, len(classes)]},
            {"name": "novelty", "datatype": "FP64", "shape": [-1]},
        ],
        "parameters": {"classes": classes},
    }


@router.get("/models/{model}/ready")
def ready(model: str, folder: Folder) -> dict[str, Any]:
    """Say whether a task can answer."""
    return {"name": model, "ready": folder.task(model).state.can_answer}


@router.post("/models/{model}/infer")
async def infer(model: str, request: Inference, folder: Folder) -> dict[str, Any]:
    """Label rows; `novelty`, a p-value, is answered where `outputs` names it: it takes longer."""
    task = folder.task(model)
    return await answer(lambda: _label(task, request), here=request.is_quick(task))


def _label(task: Task, request: Inference) -> dict[str, Any]:
    state = taught_state(task)
    features = _features(request.inputs[0], task.kind, state)
    shares = state.probabilities(features)
    classes = list(state.classes)
    wanted = [output.name for output in request.outputs] or ["label", "probability"]
    outputs = []
    for name in dict.fromkeys(wanted):
        if name == "label":
            labels = [classes[i] for i in shares.argmax(axis=1).tolist()]
            outputs.append(_tensor(name, "BYTES", [len(labels)], labels))
        elif name == "probability":
            outputs.append(_tensor(name, "FP64", list(shares.shape), shares.ravel().tolist()))
        else:
            unusual = _novelty(state, features)
            count_novelty(task.name, unusual)
            outputs.append(_tensor(name, "FP64", [len(unusual)], unusual))
    found = {"model_name": task.name, "parameters": {"state": state.hash}, "outputs": outputs}
    return found if request.id is None else found | {"id": request.id}


def _features(
    given: TextInput | PictureInput | FeaturesInput, kind: Kind, state: TaskState
) -> Features:
    """Return the features (n, d) of an input; raises a RequestError if it does not fit."""
    if not isinstance(given, FeaturesInput):
        if given.name != RAW_INPUTS.get(kind):
            wanted = RAW_INPUTS.get(kind, "features")
            raise RequestError(422, f"this is a task of {kind}: send the input {wanted!r}")
        if given.shape not in ([len(given.data)], [len(given.data), 1]):
            raise RequestError(422, f"the shape must be [{len(given.data)}], as data has rows")
        return encode(state, given.data)
    if given.shape[0] > MAX_ROWS or given.shape[1] != state.width:
        raise RequestError(
            422, f"the shape must be [n, {state.width}], n at most {MAX_ROWS}; got {given.shape}"
        )
    n_rows, width = given.shape
    lengths = [len(row) for row in given.data if isinstance(row, list)]
    fits = lengths == [width] * n_rows if lengths else len(given.data) == n_rows * width
    if not fits:
        raise RequestError(
            422,
            f"data must have {n_rows * width} numbers, or {n_rows} rows of {width} numbers each, "
            f"as its shape is {given.shape}",
        )
    with np.errstate(over="ignore"):
        features = np.asarray(given.data, dtype=np.float32).reshape(n_rows, width)
    if not np.isfinite(features).all():
        raise RequestError(422, "a number is too large; scale the numbers to at most 3e38")
    return features


def _novelty(state: TaskState, features: Features) -> list[float]:
    unusual = state.novelty_p_values(features)
    if unusual is None:
        raise RequestError(409, "novelty cannot be measured yet; teach more rows")
    return [float(value) for value in unusual]


def _tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}
