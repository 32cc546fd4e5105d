"""Replay a log after the model file beside it."""

from __future__ import annotations

from pathlib import Path

from faast.serve.tasks.kinds import describe_model, model_from
from faast.serve.tasks.log import Log
from faast.serve.tasks.log_file import create_log_file
from faast.serve.tasks.relearning import relearned
from faast.serve.tasks.state import TaskState
from faast.serve.tasks.writing import KEEP_ROWS, MODEL


class LogMismatchError(ValueError):
    """Raised when a model file and its log do not belong together; neither is changed."""


def create_log(path: Path, state: TaskState, keep_rows: bool) -> None:
    """Write a log that starts with a state."""
    settings = {MODEL: describe_model(state.model), KEEP_ROWS: "01"[keep_rows]}
    create_log_file(path, state.hash, settings, state.added, state.names)


def replay(log: Log, model_path: Path) -> tuple[int, TaskState]:
    """Return the position of the model file in a log, and the state after all changes.

    Raises
    ------
    LogMismatchError
        If the log does not lead from the model file to the state that it says it leads to.
    ValueError
        If the model file is damaged, or holds something that cannot be served.
    """
    if model_path.exists():
        state = TaskState.load(model_path)
    else:
        state = TaskState(model_from(log.settings[MODEL]))
    start = log.position_of(state.hash)
    if log.erased and (start is None or start < log.erased):
        raise LogMismatchError(
            f"{model_path} is older than a forgotten source, of which {log.path.name} no longer "
            "has the rows, or was changed by another program. Restore the model file and the log "
            "of one time together"
        )
    if start is None:
        raise LogMismatchError(
            f"{model_path} is in no state that {log.path.name} knows: it was changed by another "
            "program. Restore the file, or move the log away to start anew from the file"
        )
    classes, names = log.classes(), log.names()
    state = state.with_classes(classes, names)
    for steps, class_steps in log.changes_after(start):
        state = state.apply(steps, class_steps)
    state = relearned(state.with_classes(classes, names), log)
    if state.hash != log.last().state:
        raise LogMismatchError(
            f"replaying {log.path.name} after {model_path} does not give the state that the log "
            "names: one of the files was damaged or changed. Restore both from a backup"
        )
    return start, state
