"""Tasks: list, create, show, change and delete them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from faast._utils.names import NAME_PATTERN, check_name
from faast.serve.fields import MAX_LABEL, Request
from faast.serve.problems import RESPONSES
from faast.serve.routes.dependencies import Folder, TheTask, Who
from faast.serve.tasks.folder import look_at
from faast.serve.tasks.kinds import Kind
from faast.serve.tasks.task import Task

router = APIRouter(prefix="/v1/tasks", tags=["tasks"], responses=RESPONSES)


def require_name(name: str) -> str:
    """Return the name of a task; raise ValueError if it is none."""
    check_name(name, "task")
    return name


Name = Annotated[
    str,
    AfterValidator(require_name),
    WithJsonSchema({"type": "string", "pattern": NAME_PATTERN}),
]


class NewTask(Request):
    """A task to create; without `encoder` it gets the default one of its kind."""

    name: Name
    kind: Kind = "texts"
    encoder: Annotated[str, Field(max_length=MAX_LABEL)] | None = None
    keep_rows: bool = True


class Settings(Request):
    """Settings of a task; if rows are no longer to be kept, those kept so far are erased."""

    keep_rows: bool


class TaskAnswer(BaseModel):
    """A task: what it takes, its numbers of learned and waiting rows, and the hash of its state."""

    name: str
    kind: Kind
    encoder: str | None
    keep_rows: bool
    rows: int
    waiting: int
    classes: dict[str, int]
    state: str


class TasksAnswer(BaseModel):
    """All tasks, and why other files of the folder are not served."""

    tasks: list[TaskAnswer]
    unserved: dict[str, str]


@router.get("")
def list_tasks(folder: Folder) -> TasksAnswer:
    """List the tasks."""
    return TasksAnswer(tasks=look_at(folder.tasks, describe), unserved=folder.unserved)


@router.post("", status_code=201)
def create_task(new: NewTask, folder: Folder) -> TaskAnswer:
    """Create a task without rows."""
    return describe(folder.create(new.name, new.kind, new.encoder, new.keep_rows))


@router.get("/{task}")
def show_task(task: TheTask) -> TaskAnswer:
    """Show a task."""
    return describe(task)


@router.patch("/{task}")
def change_task(task: TheTask, settings: Settings, who: Who) -> TaskAnswer:
    """Change the settings of a task. Undo does not take this back."""
    task.set_keep_rows(settings.keep_rows, who)
    return describe(task)


@router.delete("/{task}", status_code=204)
def delete_task(task: str, folder: Folder) -> None:
    """Delete a task with its model and its log."""
    folder.delete(task)


def describe(task: Task) -> TaskAnswer:
    """Describe a task in its latest state."""
    state = task.state
    return TaskAnswer(
        name=task.name,
        kind=task.kind,
        encoder=task.encoder,
        keep_rows=task.keep_rows,
        rows=state.n_rows,
        waiting=task.waiting,
        classes=task.classes,
        state=state.hash,
    )
