"""The models that requests may name: the memories, and the backbone alone."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from faast.serve.memories.folder import MemoryFolder
from faast.serve.memories.routes.dependencies import Folder
from faast.serve.problems import RESPONSES

router = APIRouter(prefix="/v1", tags=["models"], responses=RESPONSES)


class ModelCard(BaseModel):
    """A memory, with the backbone that it belongs to as its parent; or the backbone."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "faast"
    parent: str | None = None


class ModelsAnswer(BaseModel):
    """All models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


@router.get("/models")
def list_models(folder: Folder) -> ModelsAnswer:
    """List the backbone and the memories."""
    return ModelsAnswer(data=[_card(folder, name) for name in (None, *folder.attached.all())])


@router.get("/models/{model:path}")
def show_model(model: str, folder: Folder) -> ModelCard:
    """Show the backbone or a memory."""
    return _card(folder, folder.find(model))


def _card(folder: MemoryFolder, memory: str | None) -> ModelCard:
    backbone = folder.backbone
    if memory is None:
        return ModelCard(id=backbone.id, created=backbone.created)
    return ModelCard(id=memory, created=backbone.created, parent=backbone.id)
