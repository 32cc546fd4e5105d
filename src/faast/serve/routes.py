"""Our own routes: tasks, their rows, questions, history and what was learned."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query, Request, Response
from scipy.stats import binomtest

from faast.serve import schemas
from faast.serve.folder import TaskFolder
from faast.serve.problems import RESPONSES, RequestError
from faast.serve.state import TaskState
from faast.serve.task import Task

PAGE = 1_000
"""Largest number of rows or changes in one answer."""

router = APIRouter(prefix="/v1/tasks", tags=["tasks"], responses=RESPONSES)


def the_folder(request: Request) -> TaskFolder:
    """Return the folder that the application serves."""
    folder: TaskFolder = request.app.state.folder
    return folder


Folder = Annotated[TaskFolder, Depends(the_folder)]


def the_task(task: str, folder: Folder) -> Task:
    """Return the task that a path names."""
    return folder.task(task)


TheTask = Annotated[Task, Depends(the_task)]
Limit = Annotated[int, Query(ge=1, le=PAGE)]
SourceQuery = Annotated[str | None, Query(max_length=schemas.MAX_LABEL)]
Position = Annotated[int, Query(ge=0, lt=2**63)]


@router.get("")
def list_tasks(folder: Folder) -> schemas.TasksAnswer:
    """List the tasks."""
    tasks = [describe(task) for task in folder.tasks]
    return schemas.TasksAnswer(tasks=tasks, unserved=folder.unserved)


@router.post("", status_code=201)
def create_task(new: schemas.NewTask, folder: Folder) -> schemas.TaskAnswer:
    """Create a task without rows."""
    return describe(folder.create(new.name, new.encoder))


@router.get("/{task}")
def show_task(task: TheTask) -> schemas.TaskAnswer:
    """Show a task."""
    return describe(task)


@router.delete("/{task}", status_code=204)
def delete_task(task: str, folder: Folder) -> None:
    """Delete a task with its model and its log."""
    folder.delete(task)


@router.get("/{task}/rows")
def list_rows(
    task: TheTask, source: SourceQuery = None, after: Position = 0, limit: Limit = 100
) -> schemas.RowsAnswer:
    """List the rows that are learned, by rising number; all of them, or those of one source."""
    found = task.rows(source, after, limit + 1)
    rows = [schemas.RowAnswer.of(row) for row in found[:limit]]
    return schemas.RowsAnswer(rows=rows, next=rows[-1].id if len(found) > limit else None)


@router.post("/{task}/rows", status_code=201)
def teach(task: TheTask, teaching: schemas.Teaching) -> schemas.TaughtAnswer:
    """Learn rows. Answers that come after the acknowledgement know them."""
    rows = [(row.text, row.label, row.source) for row in teaching.rows]
    return schemas.TaughtAnswer.with_ids(*task.teach(rows))


@router.get("/{task}/rows/{row}")
def show_row(task: TheTask, row: int) -> schemas.RowAnswer:
    """Show a row, with its source."""
    return schemas.RowAnswer.of(task.row(_in_range(row)))


@router.patch("/{task}/rows/{row}")
def correct(task: TheTask, row: int, correction: schemas.Correction) -> schemas.ChangeAnswer:
    """Give a row another label, as if it had been taught with it."""
    return schemas.ChangeAnswer.of(task.correct(_in_range(row), correction.label))


@router.delete("/{task}/rows/{row}")
def forget(task: TheTask, row: int) -> schemas.ChangeAnswer:
    """Forget a row, as if it had never been taught. It stays in the log, so that undo works."""
    return schemas.ChangeAnswer.of(task.forget(_in_range(row)))


@router.get("/{task}/sources")
def list_sources(task: TheTask) -> dict[str, int]:
    """List the sources with their numbers of rows."""
    return task.sources()


@router.post("/{task}/forget-source")
def forget_source(task: TheTask, given: schemas.Source) -> schemas.CertificateAnswer:
    """Forget all rows of a source exactly, and erase them from the log. This cannot be undone."""
    return schemas.CertificateAnswer(**task.forget_source(given.source)._asdict())


@router.post("/{task}/undo")
def undo(task: TheTask) -> schemas.ChangeAnswer:
    """Take back the latest change that was not taken back yet."""
    return schemas.ChangeAnswer.of(task.undo())


@router.post("/{task}/ask")
def ask(task: TheTask, question: schemas.Question) -> schemas.QuestionAnswer:
    """Label texts, with the probability of every class and the runner-up."""
    state = taught_state(task)
    classes = list(state.classes)
    answers = [
        _label_answer(classes, shares.tolist()) for shares in state.probabilities(question.texts)
    ]
    return schemas.QuestionAnswer(answers=answers, state=state.hash)


@router.get("/{task}/classes")
def list_classes(task: TheTask) -> dict[str, int]:
    """List the classes with their numbers of rows."""
    return task.state.classes


@router.get("/{task}/history")
def history(
    task: TheTask, before: Position | None = None, limit: Limit = 100
) -> schemas.HistoryAnswer:
    """List the changes, the latest first."""
    found = task.history(limit + 1, before)
    changes = [schemas.ChangeAnswer.of(change) for change in found[:limit]]
    more = changes[-1].position if len(found) > limit else None
    return schemas.HistoryAnswer(changes=changes, next=more)


@router.get("/{task}/evaluation")
def evaluate(task: TheTask) -> schemas.EvaluationAnswer:
    """Measure the accuracy on the rows of the log, each predicted without having learned it."""
    state, rows = task.state_and_rows()
    if not rows:
        raise RequestError(409, "there are no rows in the log to measure with; teach some first")
    labels = [row.label for row in rows]
    shares = state.left_out_probabilities([row.text for row in rows], labels)
    predicted = np.array(list(state.classes), dtype=object)[shares.argmax(axis=1)]
    # a class whose only row is left out could not have been predicted
    others = np.array([state.classes[label] > 1 for label in labels])
    right = (predicted == np.array(labels, dtype=object)) & others
    exact = binomtest(int(right.sum()), len(rows)).proportion_ci()
    own = {label: right[np.array(labels, dtype=object) == label] for label in sorted(set(labels))}
    return schemas.EvaluationAnswer(
        rows=len(rows),
        right=int(right.sum()),
        accuracy=float(right.mean()),
        interval=(float(exact.low), float(exact.high)),
        classes={
            label: schemas.ClassAccuracy(rows=len(part), right=int(part.sum()))
            for label, part in own.items()
        },
        state=state.hash,
    )


@router.get(
    "/{task}/model",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def export(task: TheTask) -> Response:
    """Download the model as a .faast file, which `faast.load` and `faast predict` take."""
    name = f'attachment; filename="{task.name}.faast"'
    return Response(
        task.export(), media_type="application/octet-stream", headers={"Content-Disposition": name}
    )


def describe(task: Task) -> schemas.TaskAnswer:
    """Describe a task in its latest state."""
    state = task.state
    return schemas.TaskAnswer(
        name=task.name,
        encoder=task.encoder,
        rows=state.n_rows,
        classes=state.classes,
        state=state.hash,
    )


def taught_state(task: Task) -> TaskState:
    """Return the latest state; raises a RequestError if nothing was learned yet."""
    state = task.state
    if not state.n_rows:
        raise RequestError(409, f"the task {task.name} has learned nothing yet; teach a row first")
    return state


def _label_answer(classes: list[str], shares: list[float]) -> schemas.LabelAnswer:
    order = sorted(range(len(classes)), key=lambda i: -shares[i])
    second = order[1] if len(order) > 1 else None
    return schemas.LabelAnswer(
        label=classes[order[0]],
        probability=shares[order[0]],
        runner_up=None if second is None else classes[second],
        runner_up_probability=None if second is None else shares[second],
        probabilities=dict(zip(classes, shares, strict=True)),
    )


def _in_range(number: int) -> int:
    """Return the number of a row as the log can hold it; others are the numbers of no row."""
    return number if 0 < number < 2**63 else 0
