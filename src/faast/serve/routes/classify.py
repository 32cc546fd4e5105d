"""Classification in the shape that vLLM and SGLang answer: /v1/classify and /v1/models."""

from __future__ import annotations

import time
import uuid
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel

from faast.serve.fields import Text, Texts
from faast.serve.problems import RESPONSES, RequestError
from faast.serve.routes.dependencies import Folder, taught_state
from faast.serve.routes.quickly import answer, is_quick
from faast.serve.tasks.task import Task

router = APIRouter(prefix="/v1", tags=["classify"], responses=RESPONSES)


class Classify(BaseModel):
    """A request in the shape that vLLM takes; members it does not need are ignored."""

    model: str
    input: Text | Texts


class ClassifyDatum(BaseModel):
    """The answer for one input; `probs` is in the order of `classes`."""

    index: int
    label: str
    probs: list[float]
    num_classes: int


class Usage(BaseModel):
    """Tokens; there are none."""

    prompt_tokens: int = 0
    total_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: Any = None


class ClassifyAnswer(BaseModel):
    """An answer in the shape that vLLM gives, with the classes in the order of `probs`."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    data: list[ClassifyDatum]
    classes: list[str]
    usage: Usage = Usage()


class ModelCard(BaseModel):
    """A model in the list of models, with its classes in the order of `probs`."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["faast"] = "faast"
    classes: list[str]


class ModelsAnswer(BaseModel):
    """The list of models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


@router.post("/classify")
async def classify(request: Classify, folder: Folder) -> ClassifyAnswer:
    """Label one input or several; the model is the name of a task."""
    texts = [request.input] if isinstance(request.input, str) else request.input
    task = folder.task(request.model)
    here = is_quick(task, len(texts), sum(map(len, texts)))
    return await answer(lambda: _label(task, texts), here=here)


def _label(task: Task, texts: list[str]) -> ClassifyAnswer:
    if task.kind != "texts":
        raise RequestError(422, f"{task.name} is a task of {task.kind}; POST /v1/tasks/NAME/ask")
    state = taught_state(task)
    classes = list(state.classes)
    shares = state.probabilities(state.encode(texts))
    return ClassifyAnswer(
        id=f"classify-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=task.name,
        classes=classes,
        data=[
            ClassifyDatum(
                index=i,
                label=classes[int(row.argmax())],
                probs=row.tolist(),
                num_classes=len(classes),
            )
            for i, row in enumerate(shares)
        ],
    )


@router.get("/models")
def list_models(folder: Folder) -> ModelsAnswer:
    """List the tasks as models."""
    return ModelsAnswer(
        data=[
            ModelCard(id=task.name, created=task.created, classes=list(task.state.classes))
            for task in folder.tasks
        ]
    )
