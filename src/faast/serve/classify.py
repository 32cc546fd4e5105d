"""Classification in the shape that vLLM and SGLang answer: /v1/classify and /v1/models."""

from __future__ import annotations

import time
import uuid

from fastapi import APIRouter

from faast.serve import schemas
from faast.serve.problems import RESPONSES
from faast.serve.routes import Folder, taught_state

router = APIRouter(prefix="/v1", tags=["classify"], responses=RESPONSES)


@router.post("/classify")
def classify(request: schemas.Classify, folder: Folder) -> schemas.ClassifyAnswer:
    """Label one input or several; the model is the name of a task."""
    texts = [request.input] if isinstance(request.input, str) else request.input
    state = taught_state(folder.task(request.model))
    classes = list(state.classes)
    shares = state.probabilities(texts)
    return schemas.ClassifyAnswer(
        id=f"classify-{uuid.uuid4().hex}",
        created=int(time.time()),
        model=request.model,
        classes=classes,
        data=[
            schemas.ClassifyDatum(
                index=i,
                label=classes[int(row.argmax())],
                probs=row.tolist(),
                num_classes=len(classes),
            )
            for i, row in enumerate(shares)
        ],
    )


@router.get("/models")
def list_models(folder: Folder) -> schemas.ModelsAnswer:
    """List the tasks as models."""
    cards = [schemas.ModelCard(id=task.name, created=task.created) for task in folder.tasks]
    return schemas.ModelsAnswer(data=cards)
