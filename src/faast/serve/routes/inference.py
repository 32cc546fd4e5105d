"""The Open Inference Protocol v2: health, metadata and inference of tasks as models.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from faast._version import __version__
from faast.serve.fields import MAX_LABEL, Texts
from faast.serve.problems import RESPONSES, RequestError
from faast.serve.routes.dependencies import Folder, taught_state

router = APIRouter(prefix="/v2", tags=["open inference protocol"], responses=RESPONSES)


class InferenceInput(BaseModel):
    """Texts as the Open Inference Protocol sends them."""

    name: Literal["text"]
    shape: Annotated[list[int], Field(max_length=2)]
    datatype: Literal["BYTES"]
    data: Texts


class InferenceOutput(BaseModel):
    """An output that is asked for."""

    name: Literal["label", "probability"]


class Inference(BaseModel):
    """A request of the Open Inference Protocol; without `outputs`, all are answered."""

    id: Annotated[str, Field(max_length=MAX_LABEL)] | None = None
    inputs: Annotated[list[InferenceInput], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[InferenceOutput], Field(max_length=2)] = []


@router.get("/health/live")
@router.get("/health/ready")
async def health() -> dict[str, bool]:
    """Say that the server answers; it starts to listen when all tasks are replayed."""
    return {"live": True}


@router.get("")
def server() -> dict[str, Any]:
    """Describe the server."""
    return {"name": "faast", "version": __version__, "extensions": []}


@router.get("/models/{model}")
def metadata(model: str, folder: Folder) -> dict[str, Any]:
    """Describe a task; `classes` are in the order of the probabilities."""
    classes = list(folder.task(model).state.classes)
    return {
        "name": model,
        "platform": "faast_safetensors",
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
        "outputs": [
            {"name": "label", "datatype": "BYTES", "shape": [-1]},
            {"name": "probability", "datatype": "FP64", "shape": [-1, len(classes)]},
        ],
        "parameters": {"classes": classes},
    }


@router.get("/models/{model}/ready")
def ready(model: str, folder: Folder) -> dict[str, Any]:
    """Say whether a task can answer."""
    return {"name": model, "ready": folder.task(model).state.can_answer}


@router.post("/models/{model}/infer")
def infer(model: str, request: Inference, folder: Folder) -> dict[str, Any]:
    """Label the texts of the input `text`."""
    state = taught_state(folder.task(model))
    texts = request.inputs[0].data
    if request.inputs[0].shape not in ([len(texts)], [len(texts), 1]):
        raise RequestError(422, f"the shape must be [{len(texts)}], the number of texts in data")
    classes = list(state.classes)
    shares = state.probabilities(state.encode(texts))
    labels = [classes[i] for i in shares.argmax(axis=1).tolist()]
    outputs = [
        {"name": "label", "datatype": "BYTES", "shape": [len(texts)], "data": labels},
        {
            "name": "probability",
            "datatype": "FP64",
            "shape": list(shares.shape),
            "data": shares.ravel().tolist(),
        },
    ]
    wanted = {output.name for output in request.outputs} or {"label", "probability"}
    answer = {
        "model_name": model,
        "parameters": {"state": state.hash},
        "outputs": [output for output in outputs if output["name"] in wanted],
    }
    return answer if request.id is None else answer | {"id": request.id}
