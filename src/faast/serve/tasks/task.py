"""A task: a model that several people teach, with a log from which it can be rebuilt."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import RLock

from faast.core.locking import exclusive
from faast.core.persistence import sync_folder
from faast.encoders.base import Features
from faast.serve.problems import RequestError
from faast.serve.tasks.kinds import Kind, new_model
from faast.serve.tasks.links import Item, plan_following, plan_unfollowing
from faast.serve.tasks.log import Log, remove_log
from faast.serve.tasks.planning import (
    plan_adding,
    plan_forgetting,
    plan_merging,
    plan_renaming,
    plan_undoing,
)
from faast.serve.tasks.records import (
    ABSENT,
    AddedRow,
    Certificate,
    Change,
    NewRow,
    Place,
    Plan,
    Row,
    Standing,
    Step,
)
from faast.serve.tasks.replay import create_log, replay
from faast.serve.tasks.review import Learned, Pool, Review
from faast.serve.tasks.state import TaskState

MODEL_SUFFIX = ".faast"
LOG_SUFFIX = ".faast-log"

SNAPSHOT_CHANGES = 500
"""Number of changes after which the model file is written anew, so that a start replays fewer."""


class Task:
    """A model file in a folder, with a log beside it.

    One thread at a time changes the task. A change is in the log, on the disk, before its method
    returns. Readers use the latest state, which is never changed, and never wait for a writer.
    All methods that change the task take `who`, the name of whoever asks for it.

    Parameters
    ----------
    folder : Path
    name : str
        The model file is NAME.faast, the log NAME.faast-log. A model file without a log is given
        one. At least one of them must exist.

    Raises
    ------
    LogMismatchError
        If the log does not lead from the model file to the state that it says it leads to.
    ValueError
        If a file is damaged, or holds something that cannot be served, or another process uses it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._model_path = folder / f"{name}{MODEL_SUFFIX}"
        self._log_path = folder / f"{name}{LOG_SUFFIX}"
        self._writing = RLock()
        self._closing = ExitStack()
        self._review: Review | None = None
        self._pool: Pool | None = None
        with ExitStack() as opening:
            opening.enter_context(exclusive(self._model_path, self._refuse_to_wait))
            self._open_log(opening)
            self._closing = opening.pop_all()

    @property
    def state(self) -> TaskState:
        """The latest state."""
        return self._state

    @property
    def kind(self) -> Kind:
        """Kind of the rows."""
        return self._state.kind

    @property
    def encoder(self) -> str | None:
        """Name of the encoder; None where rows are numbers."""
        return self._state.model.encoder_name

    @property
    def keep_rows(self) -> bool:
        """Whether rows are kept as they were given."""
        return self._log.keeps_rows

    @property
    def created(self) -> int:
        """Time at which the log was started, in seconds since 1970."""
        return self._created

    @property
    def position(self) -> int:
        """Number of the latest change."""
        return self._log.history(1)[0].position

    @property
    def classes(self) -> dict[str, int]:
        """Number of learned rows of each class, sorted; added classes may have none."""
        state = self._state
        return dict(sorted({**dict.fromkeys(state.added, 0), **state.classes}.items()))

    @property
    def waiting(self) -> int:
        """Number of rows that wait for a label."""
        return self._log.count_waiting()

    def teach(self, rows: Sequence[NewRow], who: str | None = None) -> tuple[Change, list[int]]:
        """Add rows, and learn those that have a label; return the change and their numbers."""
        features = self._state.encode_to_learn([row.raw for row in rows])
        with self._changing():
            self._require_width(features)
            keep = self.keep_rows and self.kind != "numbers"
            first = self._log.next_row()
            numbers = list(range(first, first + len(rows)))
            added, steps = [], []
            for number, row, vector in zip(numbers, rows, features, strict=True):
                raw = row.raw if keep and not isinstance(row.raw, list) else None
                label = None if row.label is None else self._state.resolve(row.label)
                added.append(AddedRow(number, row.source, raw, vector))
                steps.append(Step(number, ABSENT, Place(Standing.PRESENT, label), vector))
            kind = "teach" if any(step.new.label for step in steps) else "add"
            model = self._state.describe_scaled(features)
            change = self._change(Plan(kind, steps, added, model=model), who)
        return change, numbers

    def correct(self, number: int, label: str, who: str | None = None) -> Change:
        """Give a row a label, as if it had been added with it."""
        with self._changing():
            step, label = self._forgetting(number), self._state.resolve(label)
            if step.old.label == label:
                raise RequestError(409, f"row {number} has the label {label!r} already")
            kind = "label" if step.old.label is None else "correct"
            step = replace(step, new=Place(Standing.PRESENT, label))
            return self._change(Plan(kind, [step]), who)

    def confirm(self, number: int, who: str | None = None) -> Change:
        """Mark the label of a row as checked."""
        with self._changing():
            step = self._forgetting(number)
            if step.old.label is None:
                raise RequestError(409, f"row {number} has no label yet; give it one")
            if step.old.standing is Standing.CONFIRMED:
                raise RequestError(409, f"the label of row {number} is confirmed already")
            step = replace(step, new=Place(Standing.CONFIRMED, step.old.label))
            return self._change(Plan("confirm", [step]), who)

    def forget(self, number: int, who: str | None = None) -> Change:
        """Forget a row, as if it had never been added; it stays in the log, for undo."""
        with self._changing():
            return self._change(Plan("forget", [self._forgetting(number)]), who)

    def forget_source(self, source: str, who: str | None = None) -> Certificate:
        """Forget all rows of a source, and erase what the log holds of them.

        The model file is written without them before they are erased from the log. This cannot be
        undone, and neither can changes before it. If the disk is full, ask again: what is left to
        erase will be, and the certificate is the same.
        """
        with self._changing():
            certificate = self._log.certificate(source)
            if certificate is None:
                if not self._log.has_source(source):
                    raise RequestError(
                        404, f"no row has the source {source!r}; see the list of sources"
                    )
                before, steps = self._state.hash, self._log.forgetting("source", source)
                plan = Plan("forget source", steps, undoable=False, erase=source)
                change = self._change(plan, who)
                certificate = Certificate(
                    change.position, change.at, len(steps), before, change.state
                )
            self._erase()
        return certificate

    def add_class(self, label: str, who: str | None = None) -> Change:
        """Add a class without rows."""
        return self._plan_and_change(lambda: plan_adding(self._state, label), who)

    def rename_class(self, label: str, to: str, who: str | None = None) -> Change:
        """Give a class and all its rows another label."""
        return self._plan_and_change(lambda: plan_renaming(self._state, self._log, label, to), who)

    def merge_classes(self, labels: Sequence[str], into: str, who: str | None = None) -> Change:
        """Make several classes one."""
        return self._plan_and_change(
            lambda: plan_merging(self._state, self._log, labels, into), who
        )

    def forget_class(self, label: str, who: str | None = None) -> Change:
        """Forget a class with all its rows."""
        return self._plan_and_change(lambda: plan_forgetting(self._state, self._log, label), who)

    def set_keep_rows(self, keep_rows: bool, who: str | None = None) -> Change:
        """Choose whether rows are kept as they are given; if not, those kept so far are erased."""
        with self._changing():
            if self.kind == "numbers":
                raise RequestError(
                    409, "a task of numbers learns the numbers themselves, so it always keeps them"
                )
            plan = Plan("keep rows" if keep_rows else "drop rows", keep_rows=keep_rows)
            change = self._change(plan, who)
            self._erase()
        return change

    def follow(self, origin: str, items: Sequence[Item], who: str | None = None) -> Change | None:
        """Let rows become what another program says of its items; see `plan_following`.

        Returns
        -------
        Change or None
            None if nothing was learned or forgotten.
        """
        features = self._state.encode_to_learn([item.raw for item in items])
        with self._changing():
            self._require_width(features)
            items = [item.resolved(self._state.resolve) for item in items]
            keep = self.keep_rows
            return self._linked(plan_following(self._log, origin, items, features, keep), who)

    def unfollow(
        self, origin: str, keys: Sequence[str], parts: Sequence[str], who: str | None = None
    ) -> Change | None:
        """Forget the rows of deleted items; see `plan_unfollowing`, and `follow`."""
        with self._changing():
            return self._linked(plan_unfollowing(self._log, origin, keys, parts), who)

    def undo(self, who: str | None = None) -> Change:
        """Take back the latest change that was not taken back yet."""
        return self._plan_and_change(lambda: plan_undoing(self._log), who)

    def row(self, number: int) -> Row:
        """Return a row by its number; raises a RequestError if there is none."""
        row = self._log.row(number)
        if row is None:
            raise _no_row(number)
        return self._with_numbers([row])[0]

    def rows(
        self,
        source: str | None = None,
        label: str | None = None,
        waiting: bool | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Row]:
        """Return rows; see `LogReader.rows`."""
        return self._with_numbers(self._log.rows(source, label, waiting, after, limit))

    def picture(self, number: int) -> bytes:
        """Return the image file of a row; raises a RequestError if there is none."""
        raw = self._log.raw(number)
        if not isinstance(raw, bytes):
            raise RequestError(404, f"the log keeps no picture of row {number}")
        return raw

    def find(self, numbers: Sequence[int]) -> list[Row]:
        """Return rows by their numbers, in the same order; those that are gone are left out."""
        found = [self._log.row(number) for number in numbers]
        return self._with_numbers([row for row in found if row is not None])

    def review(self) -> Review:
        """Return what the learned rows of the latest state say; each state has one review."""
        with self._writing:
            review = self._review
            if review is None or review.learned.state is not self._state:
                points = {} if review is None else review.points
                review = Review(Learned(self._state, *self._log.labelled()), points)
                self._review = review
            return review

    def pool(self) -> Pool:
        """Return the rows of the latest state that wait for a label; each state has one pool."""
        with self._writing:
            if self._pool is None or self._pool.state is not self._state:
                self._pool = Pool(self._state, *self._log.pool())
            return self._pool

    def sources(self) -> dict[str, int]:
        """Return the number of rows of each source."""
        return self._log.sources()

    def history(self, limit: int, before: int | None = None) -> list[Change]:
        """Return changes, the latest first."""
        return self._log.history(limit, before)

    def export(self) -> bytes:
        """Return the content of a model file with the latest state, ready to predict."""
        state = self._state
        if not state.can_answer:
            raise RequestError(409, "there is no model yet; teach a row first")
        state.solve()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.faast"
            state.model.save(path)
            return path.read_bytes()

    def close(self) -> None:
        """Write the model file, and give the task free for other processes."""
        with self._writing, self._closing:
            if self._log.last().position > self._saved:
                self._snapshot()

    def delete(self) -> None:
        """Delete the model file and the log."""
        with self._writing, self._closing:
            self._model_path.unlink(missing_ok=True)
            remove_log(self._log_path)
            sync_folder(self._log_path.parent)
            self._deleted = True

    def _open_log(self, opening: ExitStack) -> None:
        if self._model_path.exists() and not self._log_path.exists():
            create_log(self._log_path, TaskState.load(self._model_path), keep_rows=True)
        self._log = Log(self._log_path)
        opening.callback(self._log.close)
        started = self._log.history(1, before=1)[0].at
        self._created = int(datetime.fromisoformat(started).timestamp())
        self._saved, self._state = replay(self._log, self._model_path)
        self._deleted = False
        with suppress(RequestError):  # a full disk must not keep the task from answering
            self._erase()

    def _with_numbers(self, rows: list[Row]) -> list[Row]:
        if self.kind != "numbers" or not rows:
            return rows
        features = self._log.features([row.id for row in rows]).astype(float).tolist()
        return [replace(row, numbers=numbers) for row, numbers in zip(rows, features, strict=True)]

    def _forgetting(self, number: int) -> Step:
        """Return the step that forgets a row; raises a RequestError if there is none."""
        steps = self._log.forgetting("id", number)
        if not steps:
            raise _no_row(number)
        return steps[0]

    def _require_width(self, features: Features) -> None:
        """Raise a RequestError if features (n, d) have another width than those of other rows."""
        width = self._state.width or self._log.width_waiting()
        if width is not None and features.shape[1] != width:
            raise RequestError(
                422, f"rows of this task have {width} numbers, got {features.shape[1]}"
            )

    def _plan_and_change(self, plan: Callable[[], Plan], who: str | None) -> Change:
        with self._changing():
            return self._change(plan(), who)

    def _linked(self, plan: Plan, who: str | None) -> Change | None:
        """Make a change if there is one, and remember its links in any case."""
        if plan.steps:
            return self._change(plan, who)
        self._log.remember(plan.links)
        return None

    def _change(self, plan: Plan, who: str | None) -> Change:
        """Compute the next state, log the change, and only then show the state to readers."""
        with self._changing():
            labels = [step.new.label for step in plan.steps] + [new for _, new in plan.classes]
            names = self._state.new_names({label for label in labels if label is not None})
            start = self._state.with_model(plan.model)
            try:
                state = start.apply(plan.steps, plan.classes, names)
            except ValueError as error:
                raise RequestError(422, f"the model refused the change: {error}") from error
            plan = replace(plan, names=names)
            change = self._log.append(plan, self._state.hash, state.hash, who)
            self._state = state
            if change.position - self._saved >= SNAPSHOT_CHANGES:
                with suppress(OSError):  # the log has everything
                    self._snapshot()
        return change

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._writing:
            if self._deleted:
                raise RequestError(404, f"the task {self.name} was deleted")
            try:
                yield
            except (sqlite3.Error, OSError) as error:
                raise RequestError(
                    507,
                    f"the change could not be written ({error}); it is not acknowledged. Make room "
                    f"on the disk or allow writing in the folder, and try again",
                ) from error

    def _snapshot(self) -> None:
        """Write the state to the model file, which from then on is where a replay starts."""
        position = self._log.last().position
        if self._state.can_answer:
            self._state.model.save(self._model_path)
        else:
            self._model_path.unlink(missing_ok=True)
            sync_folder(self._model_path.parent)
        self._saved = position

    def _erase(self) -> None:
        """Erase what is to be erased, once the model file no longer needs it."""
        if not self._log.is_erasing:
            return
        try:
            self._snapshot()
            self._log.erase([*self._state.classes, *self._state.added])
            self._state = self._state.with_classes(self._log.classes(), self._log.names())
        except (sqlite3.Error, OSError) as error:
            raise RequestError(
                507,
                f"the rows are forgotten, but what the log holds of them could not be erased yet "
                f"({error}). Make room on the disk and ask again; the next start does it too",
            ) from error

    def _refuse_to_wait(self) -> None:
        raise ValueError(
            f"{self._model_path} is in use by another process, such as another faast serve; stop "
            "that one first"
        )


def create_task(
    folder: Path,
    name: str,
    kind: Kind = "texts",
    encoder: str | None = None,
    keep_rows: bool = True,
) -> None:
    """Write the log of a new task without rows.

    Parameters
    ----------
    folder : Path
    name : str
    kind : {"texts", "pictures", "numbers"}
    encoder : str, optional
        A name for `load_encoder`; by default that of the kind.
    keep_rows : bool
        Whether the log keeps rows as they were given; else only their features and labels.

    Raises
    ------
    FileExistsError
        If there is one of that name.
    RequestError
        If there is no such encoder, or it cannot be loaded.
    """
    if (folder / f"{name}{MODEL_SUFFIX}").exists():
        raise FileExistsError(f"there is a model file {name}{MODEL_SUFFIX}")
    try:
        model = new_model(kind, encoder)
    except (ImportError, OSError, ValueError) as error:
        raise RequestError(422, str(error)) from error
    create_log(folder / f"{name}{LOG_SUFFIX}", TaskState(model), keep_rows)


def _no_row(number: int) -> RequestError:
    return RequestError(404, f"there is no row {number}; list the rows to see their numbers")
