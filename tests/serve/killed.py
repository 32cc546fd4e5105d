"""A process that changes a task as it is told, until it is killed."""

from pathlib import Path

from faast.serve.tasks.records import NewRow
from faast.serve.tasks.task import Task


def change_as_told(folder, orders):
    """Apply changes that arrive on a connection, and answer each once it is acknowledged."""
    task = Task(Path(folder), "mail")
    orders.send("ready")
    while True:
        kind, *given = orders.recv()
        if kind == "teach":
            orders.send(task.teach([NewRow(*given)])[1][0])
        else:
            getattr(task, kind)(*given)
            orders.send(None)
