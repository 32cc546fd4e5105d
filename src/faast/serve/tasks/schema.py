"""The tables of a log, and how values are written in them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

import numpy as np

from faast.encoders.base import Features
from faast.serve.tasks.records import Change, ClassStep, Place, Standing

FORMAT = "2"
"""Version of the tables; raise it whenever they change, so that other logs are refused."""

COLUMNS = "columns "
"""In front of the id of a job, setting: names of the columns of numbers of its file, as JSON."""

TABLES = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE changes (
    position INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT, kind TEXT NOT NULL,
    n_rows INTEGER NOT NULL, undoes INTEGER, undoable INTEGER NOT NULL, state TEXT NOT NULL,
    classes TEXT NOT NULL
);
CREATE INDEX changes_by_state ON changes (state);
CREATE INDEX changes_undone ON changes (undoes) WHERE undoes IS NOT NULL;
CREATE TABLE steps (
    position INTEGER NOT NULL, row INTEGER NOT NULL, old_standing INTEGER NOT NULL, old_label TEXT,
    new_standing INTEGER NOT NULL, new_label TEXT
);
CREATE INDEX steps_by_position ON steps (position);
CREATE INDEX steps_by_row ON steps (row);
CREATE TABLE rows (
    id INTEGER PRIMARY KEY AUTOINCREMENT, standing INTEGER NOT NULL, label TEXT, source TEXT
);
CREATE INDEX rows_by_source ON rows (source, id);
CREATE INDEX rows_by_label ON rows (label, id) WHERE label IS NOT NULL;
CREATE INDEX rows_waiting ON rows (id) WHERE standing > 0 AND label IS NULL;
CREATE TABLE contents (row INTEGER PRIMARY KEY, features BLOB NOT NULL, raw);
CREATE INDEX contents_kept ON contents (row) WHERE raw IS NOT NULL;
CREATE TABLE classes (label TEXT PRIMARY KEY);
CREATE TABLE names (label TEXT PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE links (
    origin TEXT NOT NULL, key TEXT NOT NULL, part_of TEXT NOT NULL, version TEXT NOT NULL,
    row INTEGER, PRIMARY KEY (origin, key)
);
CREATE INDEX links_by_part ON links (origin, part_of);
CREATE TABLE batches (position INTEGER PRIMARY KEY, job TEXT NOT NULL, upto INTEGER NOT NULL);
CREATE INDEX batches_by_job ON batches (job, upto);
CREATE TABLE erasures (
    source TEXT, position INTEGER NOT NULL, n_rows INTEGER NOT NULL, state_before TEXT NOT NULL
);
"""
"""A row stays in `rows` and `contents` after it is forgotten, so that undo can bring it back.
An erasure without a source is that of the raw rows, which are no longer to be kept."""

CHANGE = "position, at, who, kind, n_rows, undoes, undoable, state"
"""Columns of a `Change`."""


def change_of(line: Sequence[object]) -> Change:
    """Build a change from its columns."""
    position, at, who, kind, n_rows, undoes, undoable, state = line
    return Change(position, at, who, kind, n_rows, undoes, bool(undoable), state)  # type: ignore[arg-type]


def place_of(standing: int, label: str | None) -> Place:
    """Build a place from its columns."""
    return Place(Standing(standing), label)


def pack(features: Features) -> bytes:
    """Return features as compressed bytes: those of texts are mostly zeros."""
    return zlib.compress(np.ascontiguousarray(features, dtype="<f4").tobytes(), 1)


def unpack(content: bytes) -> Features:
    """Return what `pack` was given."""
    return np.frombuffer(zlib.decompress(content), dtype="<f4")


def write_class_steps(steps: Sequence[ClassStep]) -> str:
    """Return class steps as JSON."""
    return json.dumps(steps)


def read_class_steps(content: str) -> list[ClassStep]:
    """Return what `write_class_steps` was given."""
    return [ClassStep(old, new) for old, new in json.loads(content)]
