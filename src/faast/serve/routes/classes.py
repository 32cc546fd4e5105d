"""The classes of a task."""

from __future__ import annotations

from fastapi import APIRouter

from faast.serve.problems import RESPONSES
from faast.serve.routes.dependencies import TheTask

router = APIRouter(prefix="/v1/tasks/{task}", tags=["classes"], responses=RESPONSES)


@router.get("/classes")
def list_classes(task: TheTask) -> dict[str, int]:
    """List the classes with their numbers of rows."""
    return task.state.classes
