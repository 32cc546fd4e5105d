"""The history of a task: list its changes, and take the latest back."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from faast.serve.problems import RESPONSES
from faast.serve.routes.dependencies import Limit, Position, TheTask, Who
from faast.serve.tasks.records import Change

router = APIRouter(prefix="/v1/tasks/{task}", tags=["history"], responses=RESPONSES)


class ChangeAnswer(BaseModel):
    """An acknowledged change; `state` is the hash of all that is learned after it.

    It is empty if a source was forgotten later: a guess at a forgotten row could be checked by it.
    """

    position: int
    at: str
    who: str | None
    kind: str
    n_rows: int
    undoes: int | None
    undoable: bool
    state: str

    @classmethod
    def of(cls, change: Change) -> ChangeAnswer:
        """Build from a change of the log."""
        return cls(**vars(change))


class HistoryAnswer(BaseModel):
    """Changes, the latest first; `next` is the `before` of the next page, if there are more."""

    changes: list[ChangeAnswer]
    next: int | None


@router.get("/history")
def history(task: TheTask, before: Position | None = None, limit: Limit = 100) -> HistoryAnswer:
    """List the changes, the latest first."""
    found = task.history(limit + 1, before)
    changes = [ChangeAnswer.of(change) for change in found[:limit]]
    more = changes[-1].position if len(found) > limit else None
    return HistoryAnswer(changes=changes, next=more)


@router.post("/undo")
def undo(task: TheTask, who: Who) -> ChangeAnswer:
    """Take back the latest change that was not taken back yet; those of settings are left out."""
    return ChangeAnswer.of(task.undo(who))
