"""The classes of a task: list, add, rename, merge and forget them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from faast.serve.fields import MAX_ROWS, Label, Request
from faast.serve.problems import RESPONSES
from faast.serve.routes.dependencies import TheTask, Who
from faast.serve.routes.history import ChangeAnswer

router = APIRouter(prefix="/v1/tasks/{task}/classes", tags=["classes"], responses=RESPONSES)


class OneClass(Request):
    """A class."""

    label: Label


class Renaming(Request):
    """A class and its new label."""

    label: Label
    to: Label


class Merging(Request):
    """Classes that become one, under a new label or that of one of them."""

    labels: Annotated[list[Label], Field(min_length=1, max_length=MAX_ROWS)]
    into: Label


@router.get("")
def list_classes(task: TheTask) -> dict[str, int]:
    """List the classes with their numbers of learned rows."""
    return task.classes


@router.post("/add")
def add_class(task: TheTask, given: OneClass, who: Who) -> ChangeAnswer:
    """Add a class that has no rows yet. If the encoder knows words, it can be answered at once."""
    return ChangeAnswer.of(task.add_class(given.label, who))


@router.post("/rename")
def rename_class(task: TheTask, given: Renaming, who: Who) -> ChangeAnswer:
    """Give a class and all its rows another label."""
    return ChangeAnswer.of(task.rename_class(given.label, given.to, who))


@router.post("/merge")
def merge_classes(task: TheTask, given: Merging, who: Who) -> ChangeAnswer:
    """Make several classes one."""
    return ChangeAnswer.of(task.merge_classes(given.labels, given.into, who))


@router.post("/forget")
def forget_class(task: TheTask, given: OneClass, who: Who) -> ChangeAnswer:
    """Forget a class with all its rows, as if it had never been. The log keeps them, for undo."""
    return ChangeAnswer.of(task.forget_class(given.label, who))
