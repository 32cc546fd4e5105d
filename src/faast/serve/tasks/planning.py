"""Plan changes of classes, and the change that takes another one back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from faast.serve.problems import RequestError
from faast.serve.tasks.log import Log
from faast.serve.tasks.records import ClassStep, Place, Plan, Step
from faast.serve.tasks.state import TaskState

RENAME, MERGE = "rename class", "merge classes"


def plan_adding(state: TaskState, label: str) -> Plan:
    """Plan a class without rows."""
    if state.resolve(label) in _all_classes(state):
        raise RequestError(409, f"there is a class {state.resolve(label)!r} already")
    return Plan("add class", classes=[ClassStep(None, label)])


def plan_renaming(state: TaskState, log: Log, label: str, to: str) -> Plan:
    """Plan another label for a class and all its rows."""
    _require_classes(state, [label])
    if to in _all_classes(state):
        raise RequestError(
            409, f"there is a class {to!r} already; merge the two if they are to become one"
        )
    classes = [ClassStep(label, to)]
    if label in state.added:
        classes += [ClassStep(label, None), ClassStep(None, to)]
    return Plan(RENAME, _relabelling(log, [label], to), classes=classes)


def plan_merging(state: TaskState, log: Log, labels: Sequence[str], into: str) -> Plan:
    """Plan that several classes become one, which may be one of them or a new one.

    It cannot be taken back if the model file holds rows of the classes that the log does not hold:
    nothing tells any more which class each of them had.
    """
    moved = [label for label in dict.fromkeys(labels) if label != into]
    _require_classes(state, moved)
    if len(moved) + (into in _all_classes(state)) < 2:
        raise RequestError(409, "merging needs two classes; name another one")
    steps = _relabelling(log, moved, into)
    classes = [ClassStep(label, into) for label in moved]
    classes += [ClassStep(label, None) for label in moved if label in state.added]
    if any(label in state.added for label in moved) and into not in state.added:
        classes.append(ClassStep(None, into))
    undoable = not any(_in_file_only(state, label, steps) for label in moved)
    return Plan(MERGE, steps, classes=classes, undoable=undoable)


def plan_forgetting(state: TaskState, log: Log, label: str) -> Plan:
    """Plan that a class and all its rows are forgotten."""
    _require_classes(state, [label])
    steps = log.forgetting("label", label)
    if others := _in_file_only(state, label, steps):
        raise RequestError(
            409,
            f"{others} rows of the class {label!r} are in the model file only, so they cannot be "
            "forgotten: the log does not hold them. Learn the file anew without them",
        )
    classes = [ClassStep(label, None)] if label in state.added else []
    return Plan("forget class", steps, classes=classes)


def plan_undoing(log: Log) -> Plan:
    """Plan to take back the latest change that was not taken back yet."""
    undone = log.to_undo()
    if not undone.undoable:
        why = {
            "start": "there is no change that can be undone",
            "forget source": "the latest change cannot be undone: a source was forgotten for good",
            MERGE: "the latest change cannot be undone: it merged rows of the model file that the "
            "log does not hold",
        }
        raise RequestError(409, why[undone.kind])
    steps = [step.inverse() for step in reversed(log.steps_of(undone.position))]
    classes = [
        ClassStep(new, old)
        for old, new in reversed(log.class_steps_of(undone.position))
        # merged classes part row by row
        if undone.kind != MERGE or old is None or new is None
    ]
    return Plan("undo", steps, classes=classes, undoes=undone.position)


def _relabelling(log: Log, labels: Sequence[str], to: str) -> list[Step]:
    """Return the steps that give all rows of classes another label."""
    return [
        replace(step, new=Place(step.old.standing, to))
        for label in labels
        for step in log.forgetting("label", label)
    ]


def _all_classes(state: TaskState) -> set[str]:
    return {*state.classes, *state.added}


def _require_classes(state: TaskState, labels: Sequence[str]) -> None:
    known = _all_classes(state)
    for label in labels:
        if label not in known:
            raise RequestError(404, f"there is no class {label!r}; see the list of classes")


def _in_file_only(state: TaskState, label: str, steps: Sequence[Step]) -> int:
    """Return the number of rows of a class that are in the model file, but not in the log."""
    return state.classes.get(label, 0) - sum(step.old.label == label for step in steps)
