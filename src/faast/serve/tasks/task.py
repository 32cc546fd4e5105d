"""A task: what people may ask of it, and the changes that they may make."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from faast.encoders.base import Features
from faast.serve.problems import RequestError
from faast.serve.tasks.kinds import Kind
from faast.serve.tasks.links import Item, plan_following, plan_unfollowing
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
    Batch,
    Certificate,
    Change,
    NewRow,
    Place,
    Plan,
    Row,
    Standing,
    Step,
)
from faast.serve.tasks.review import LearnedRows, Pool, Review
from faast.serve.tasks.storage import StoredTask


class Task(StoredTask):
    """A model that several people teach, ask and correct; see `StoredTask` for its files.

    All methods that change the task take `who`, the name of whoever asks for it.
    """

    is_remote: ClassVar = False
    """Whether it is in another process."""

    _review: Review | None = None
    _pool: Pool | None = None

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
    def position(self) -> int:
        """Number of the latest change."""
        return self._log.history(1)[0].position

    @property
    def classes(self) -> dict[str, int]:
        """Number of learned rows of each class, sorted; added classes may have none."""
        state = self._state
        return dict(sorted({**dict.fromkeys(state.added, 0), **state.classes}.items()))

    @property
    def columns(self) -> list[str] | None:
        """Names of the columns of numbers, in the order of rows; None if they have none."""
        return self._state.columns or self._log.columns()

    @property
    def waiting(self) -> int:
        """Number of rows that wait for a label."""
        return self._log.count_waiting()

    def teach(
        self, rows: Sequence[NewRow], who: str | None = None, batch: Batch | None = None
    ) -> tuple[Change, list[int]]:
        """Add rows, and learn those that have a label; return the change and their numbers.

        If they are a batch of an upload, the log has this together with the rows.
        """
        features = self._state.encode_to_learn([row.raw for row in rows])
        with self._changing():
            self._require_width(features)
            if batch is not None and batch.columns is not None:
                self._require_columns(batch.columns)
            keep = self.keep_rows and self.kind != "numbers"
            first = self._log.next_row()
            numbers = list(range(first, first + len(rows)))
            added, steps = [], []
            for number, row, vector in zip(numbers, rows, features, strict=True):
                raw = row.raw if keep and not isinstance(row.raw, list) else None
                label = None if row.label is None else self._state.resolve(row.label)
                added.append(AddedRow(number, row.source, raw, vector))
                checked = row.confirmed and label is not None
                standing = Standing.CONFIRMED if checked else Standing.PRESENT
                steps.append(Step(number, ABSENT, Place(standing, label), vector))
            kind = "teach" if any(step.new.label for step in steps) else "add"
            change = self._change(Plan(kind, steps, added, batch=batch), who)
        return change, numbers

    def taught_by(self, job: str) -> int:
        """Return up to which row of its file a job has taught this task."""
        return self._log.taught_by(job)

    def forget_upload(self, job: str, who: str | None = None) -> Change:
        """Forget all rows that a job has taught and that are still there."""
        with self._changing():
            steps = self._log.forgetting("job", job)
            if not steps:
                raise RequestError(409, "no row of this upload is left")
            return self._change(Plan("forget upload", steps), who)

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
        erase will be, and the certificate is the same, unless the source has given rows since.
        """
        with self._changing():
            certificate = self._log.certificate(source)
            if certificate is not None:
                self._erase()
            elif not self._log.has_source(source):
                raise RequestError(
                    404, f"no row has the source {source!r}; see the list of sources"
                )
            if self._log.has_source(source):
                before, steps = self._state.hash, self._log.forgetting("source", source)
                plan = Plan("forget source", steps, undoable=False, erase=source)
                change = self._change(plan, who)
                certificate = Certificate(
                    change.position, change.at, len(steps), before, change.state
                )
                self._erase()
        assert certificate is not None
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
            raise no_row(number)
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

    def given(self) -> Iterator[NewRow]:
        """Yield the rows of one moment as they were given; those that are not kept are left out."""
        return self._log.given(numbers=self.kind == "numbers")

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
                review = Review(LearnedRows(self._state, *self._log.labelled()), points)
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

    def _with_numbers(self, rows: list[Row]) -> list[Row]:
        if self.kind != "numbers" or not rows:
            return rows
        features = self._log.features([row.id for row in rows]).astype(float).tolist()
        return [replace(row, numbers=numbers) for row, numbers in zip(rows, features, strict=True)]

    def _forgetting(self, number: int) -> Step:
        """Return the step that forgets a row; raises a RequestError if there is none."""
        steps = self._log.forgetting("id", number)
        if not steps:
            raise no_row(number)
        return steps[0]

    def _require_width(self, features: Features) -> None:
        """Raise a RequestError if features (n, d) have another width than those of other rows."""
        width = self._state.width or self._log.width_waiting()
        if width is not None and features.shape[1] != width:
            raise RequestError(
                422, f"rows of this task have {width} numbers, got {features.shape[1]}"
            )

    def _require_columns(self, columns: Sequence[str]) -> None:
        """Raise a RequestError if a file was read with other columns than the rows now have."""
        if (known := self.columns) is not None and known != list(columns):
            raise RequestError(
                409,
                "another upload named the columns of this task meanwhile; upload the file again",
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


def no_row(number: int) -> RequestError:
    """Return the error that says that a task has no row of a number."""
    return RequestError(404, f"there is no row {number}; list the rows to see their numbers")
