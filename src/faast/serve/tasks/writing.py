"""How changes are written to the tables of a log, and erased from them, within a transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from faast._utils.arrays import FloatArray
from faast.serve.tasks.records import Link, Plan
from faast.serve.tasks.schema import COLUMNS, pack

KEEP_ROWS = "keep_rows"
"""Setting: whether rows are kept as they were given, "1" or "0"."""

MODEL = "model"
"""Setting: kind, encoder and scale of the model, as `describe_model` writes them."""


def settings_of(plan: Plan) -> dict[str, str]:
    """Return the settings that a change sets."""
    settings = {}
    if plan.keep_rows is not None:
        settings[KEEP_ROWS] = str(int(plan.keep_rows))
    if plan.batch is not None and plan.batch.columns is not None:
        settings[COLUMNS + plan.batch.job] = json.dumps(plan.batch.columns)
    return settings


def write_rows(execute: Any, position: int, plan: Plan) -> None:
    """Write the rows and steps of a change, and move the rows to their new places."""
    for added in plan.added:
        execute("INSERT INTO rows VALUES (?, 0, NULL, ?)", (added.row, added.source))
        content = added.row, pack(added.features), added.raw
        execute("INSERT INTO contents VALUES (?, ?, ?)", content)
    for step in plan.steps:
        execute("UPDATE rows SET standing = ?, label = ? WHERE id = ?", (*step.new, step.row))
        places = position, step.row, *step.old, *step.new
        execute(f"INSERT INTO steps VALUES ({marks(6)})", places)


def write_classes(execute: Any, plan: Plan) -> None:
    """Write the classes that a change adds or removes, and the names that it brings."""
    for old, new in plan.classes:
        if new is None:
            execute("DELETE FROM classes WHERE label = ?", (old,))
        elif old is None:
            execute("INSERT OR IGNORE INTO classes VALUES (?)", (new,))
    write_names(execute, plan.names)


def erase_rows(execute: Any, labels: Iterable[str]) -> None:
    """Delete rows of sources, names of classes that they had, and raw rows, as erasures say.

    Rows that were added after the change that asks for an erasure have larger numbers, and stay.
    """
    erasures = execute(
        "SELECT source, position, (SELECT max(row) FROM steps "
        "WHERE steps.position <= erasures.position) FROM erasures"
    ).fetchall()
    for source, position, last in erasures:
        if source is None:
            execute("UPDATE contents SET raw = NULL WHERE raw IS NOT NULL AND row <= ?", (last,))
            continue
        theirs = "(SELECT id FROM rows WHERE source = ? AND id <= ?)"
        execute(f"DELETE FROM steps WHERE row IN {theirs}", (source, last))
        execute(f"DELETE FROM contents WHERE row IN {theirs}", (source, last))
        execute(f"DELETE FROM rows WHERE id IN {theirs}", (source, last))
        execute("UPDATE changes SET classes = '[]' WHERE position <= ?", (position,))
        execute(
            "DELETE FROM names WHERE label NOT IN (SELECT value FROM json_each(?))",
            (json.dumps(list(labels)),),
        )


def write_links(execute: Any, links: Iterable[Link]) -> None:
    """Write what is known of items of other programs."""
    for link in links:
        execute(f"INSERT OR REPLACE INTO links VALUES ({marks(5)})", link)


def write_names(execute: Any, names: Mapping[str, FloatArray]) -> None:
    """Write the embeddings of the names of classes."""
    for label, vector in names.items():
        execute("INSERT OR REPLACE INTO names VALUES (?, ?)", (label, vector.tobytes()))


def marks(n: int) -> str:
    """Return the place holders of n values."""
    return ", ".join("?" * n)
