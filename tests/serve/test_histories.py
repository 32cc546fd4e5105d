"""Any history of changes leaves what a batch learns of the present rows, and can be undone."""

import copy
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from faast import FaastClassifier, ImageClassifier, TextClassifier
from faast.serve.problems import RequestError
from faast.serve.tasks.records import NewRow
from faast.serve.tasks.schema import pack
from faast.serve.tasks.state import TaskState
from faast.serve.tasks.storage import create_task
from faast.serve.tasks.task import Task

LABELS = ["card", "top up", "refund", "7"]
SOURCES = ["ann", "bob", None]


def created(folder, name, *settings, **more):
    create_task(folder, name, *settings, **more)
    return Task(folder, name)


def picture(number, format="PNG"):
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


MAKE = {
    "texts": lambda number: f"text {number} of a customer",
    "pictures": picture,
    "numbers": lambda number: (
        np.random.default_rng(number).normal(scale=[1, 10, 1e-3]).astype(np.float32).tolist()
    ),
}
MODELS = {"texts": TextClassifier, "pictures": ImageClassifier, "numbers": FaastClassifier}


class Book:
    """What a task should hold, kept in the plainest way; undo gives back a copy of the past."""

    def __init__(self, kind):
        self.kind = kind
        self.rows = {}  # raw, label, source, confirmed by number
        self.added = set()
        self.past = []
        self.next = 1
        self.scale = None
        self.erased = []  # bytes of rows and features that no file may hold

    def classes(self):
        found = dict.fromkeys(self.added, 0)
        for _, label, _, _ in self.rows.values():
            if label is not None:
                found[label] = found.get(label, 0) + 1
        return found

    def hash(self):
        """Return the hash of the state that a batch learns of the present rows."""
        rows = [(raw, label) for raw, label, _, _ in self.rows.values() if label is not None]
        model = MODELS[self.kind](key_scale=self.scale)
        if rows:
            raw, labels = zip(*rows, strict=True)
            model.fit(list(raw), list(labels))
        return TaskState(model).hash

    def changes(self):
        self.past.append((copy.deepcopy(self.rows), set(self.added)))

    def move(self, labels, into):
        for number, (raw, label, source, confirmed) in self.rows.items():
            if label in labels:
                self.rows[number] = raw, into, source, confirmed


def change(task, book, kind, first, second):
    """Make a change of a kind, drawn with two numbers, to a task and to its book."""
    label, source = LABELS[first % 4], SOURCES[second % 3]
    numbers, classes = sorted(book.rows), sorted(book.classes())
    number = numbers[first % len(numbers)] if numbers else None
    own = classes[second % len(classes)] if classes else None
    if kind in ("teach", "add"):
        given = label if kind == "teach" else None
        raw = MAKE[book.kind](book.next)
        task.teach([NewRow(raw, given, source)])
        book.changes()
        book.rows[book.next] = raw, given, source, False
        book.next += 1
    elif kind == "undo" and book.past:
        task.undo()
        book.rows, book.added = book.past.pop()
    elif kind == "keep":
        if book.kind != "numbers":
            task.set_keep_rows(bool(first % 2))
    elif kind == "add class" and label not in classes:
        task.add_class(label)
        book.changes()
        book.added.add(label)
    elif number is not None and kind in ("correct", "confirm", "forget"):
        change_row(task, book, kind, number, label)
    elif own is not None and kind in ("rename", "merge", "forget class"):
        change_class(task, book, kind, own, label)
    elif kind == "forget source" and source in {row[2] for row in book.rows.values()} - {None}:
        theirs = [number for number, row in book.rows.items() if row[2] == source]
        book.erased += list(task._log.features(theirs))
        book.erased += [row[0] for row in book.rows.values() if row[2] == source]
        task.forget_source(source)
        book.rows = {n: row for n, row in book.rows.items() if row[2] != source}
        book.past = []


def change_row(task, book, kind, number, label):
    raw, old, source, confirmed = book.rows[number]
    if kind == "forget":
        task.forget(number)
        book.changes()
        del book.rows[number]
    elif kind == "correct" and label != old:
        task.correct(number, label)
        book.changes()
        book.rows[number] = raw, label, source, False
    elif kind == "confirm" and old is not None and not confirmed:
        task.confirm(number)
        book.changes()
        book.rows[number] = raw, old, source, True


def change_class(task, book, kind, own, label):
    classes = book.classes()
    if kind == "forget class":
        task.forget_class(own)
        book.changes()
        book.rows = {n: row for n, row in book.rows.items() if row[1] != own}
        book.added.discard(own)
    elif kind == "rename" and label not in classes:
        task.rename_class(own, label)
        book.changes()
        book.move([own], label)
        if own in book.added:
            book.added = book.added - {own} | {label}
    elif kind == "merge" and label in classes and label != own:
        task.merge_classes([own, label], label)
        book.changes()
        book.move([own], label)
        if own in book.added:
            book.added = book.added - {own} | {label}


KINDS = ["teach", "teach", "teach", "add", "undo", "keep", "add class", "correct", "confirm"]
KINDS += ["forget", "rename", "merge", "forget class", "forget source"]
CHANGES = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 11), st.integers(0, 11)), max_size=14
)
SETTINGS = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_erased(folder, book):
    files = b"".join(path.read_bytes() for path in folder.iterdir())
    for content in book.erased:
        if isinstance(content, np.ndarray):
            assert content.tobytes() not in files
            assert pack(content) not in files
        elif not isinstance(content, list):
            assert (content.encode() if isinstance(content, str) else content) not in files


def assert_agrees(task, book):
    assert task.state.hash == book.hash()
    assert task.classes == dict(sorted(book.classes().items()))
    rows = {row.id: (row.label, row.source, row.confirmed) for row in task.rows()}
    assert rows == {number: row[1:] for number, row in book.rows.items()}
    assert task.waiting == sum(row[1] is None for row in book.rows.values())


@pytest.fixture(params=["all rows held", "two rows held"])
def held(request, monkeypatch):
    """Let models hold few rows, so that short histories have more."""
    if request.param == "two rows held":
        monkeypatch.setattr("faast.core.feature_rows.WHOLE_ROWS", 2)
        for model in MODELS.values():
            monkeypatch.setitem(model.__init__.__kwdefaults__, "selection_rows", 2)


@pytest.mark.parametrize("kind", MODELS)
@SETTINGS
@given(changes=CHANGES, crash=st.booleans())
def test_any_history_is_a_batch_of_the_present_rows_also_after_a_start(
    kind, held, changes, crash, tmp_path_factory
):
    folder, book = tmp_path_factory.mktemp("tasks"), Book(kind)
    task = created(folder, "task", kind)
    for each in changes:
        change(task, book, *each)
        book.scale = task.state.model.key_scale  # numbers: that of the first learned rows
        assert task.state.hash == book.hash(), each
    assert_agrees(task, book)
    assert_erased(folder, book)
    task._closing.close() if crash else task.close()  # a crash leaves no snapshot
    task = Task(folder, "task")
    assert_agrees(task, book)
    while book.past:
        task.undo()
        book.rows, book.added = book.past.pop()
        book.scale = task.state.model.key_scale
        assert_agrees(task, book)
    with pytest.raises(RequestError, match="undone"):
        task.undo()
    task.close()
