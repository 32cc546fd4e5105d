"""Workers of one run, and who has which part.

A tree of merges over partial states, built while they arrive.

One run: parts to workers, what they leave into a tree, its root into a model.
"""

from __future__ import annotations

import copy
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
from sklearn.base import clone

from faast._utils.progress import progress_bar
from faast._version import __version__
from faast.data import Batch, DataError
from faast.distributed.checkpoint import Partial, SavedPartials, Span
from faast.distributed.encoding import encode_batches
from faast.distributed.partitions import Part
from faast.distributed.worker import Worker, merge
from faast.estimators import EncodedClassifier, FaastClassifier
from faast.estimators.class_names import embed_names, is_name
from faast.estimators.encoder_reference import OpenedEncoder

RESTARTS = 8
"""A worker process that dies is started again, and its parts learned again, this many times."""

PARTS_AHEAD = 2
"""Parts that a worker holds: one at work, and the next."""


@dataclass(frozen=True)
class Room:
    """How many workers, and how many GPUs each."""

    n_workers: int
    n_gpus: int

    @classmethod
    def on(cls, ray: Any, floats: bool, n_workers: int | None) -> Room:
        """Take a worker a GPU where there are some to use, else one a core, unless told."""
        found = ray.cluster_resources()
        n_gpus = 1 if floats and found.get("GPU") else 0
        return cls(n_workers or max(1, int(found.get("GPU" if n_gpus else "CPU", 1))), n_gpus)


class Crew:
    """Actors that learn parts; each gets its next part when it is done with one.

    Parameters
    ----------
    ray : module
    room : Room
    *arguments
        Of `Worker`.
    """

    def __init__(self, ray: Any, room: Room, *arguments: Any) -> None:
        self._ray = ray
        kind = ray.remote(Worker).options(
            max_restarts=RESTARTS, max_task_retries=RESTARTS, num_gpus=room.n_gpus
        )
        self._actors = [kind.remote(*arguments) for _ in range(room.n_workers)]
        self._free = deque(self._actors * PARTS_AHEAD)
        self._busy: dict[Any, Any] = {}
        self._n_parts = 0

    @property
    def fraction(self) -> float:
        """How many of the parts that were handed out are done, 0 to 1."""
        return 1 - len(self._busy) / max(1, self._n_parts)

    def learn(self, part: Part) -> Any:
        """Hand a part to a worker, as soon as one is free; return a reference to what it leaves."""
        if not self._free:
            self._wait()
        actor = self._free.popleft()
        receipt, partial = actor.learn.options(num_returns=2).remote(part)
        self._busy[receipt] = actor
        self._n_parts += 1
        return partial

    def finish(self) -> Iterator[None]:
        """Wait until all parts are done, one step a part."""
        while self._busy:
            self._wait()
            yield

    def dismiss(self) -> None:
        """Stop the workers, whatever they are doing."""
        for actor in self._actors:
            self._ray.kill(actor)

    def _wait(self) -> None:
        (done, *_), _ = self._ray.wait(list(self._busy))
        self._free.append(self._busy.pop(done))
        self._ray.get(done)  # raises what the worker raised


class MergeTree:
    """Merges neighbours of equal size, as a binary counter carries.

    States are references to what will be there: nothing waits here. Sums are exact, so that every
    tree gives the same bits; this one keeps few states at a time, and all workers busy.

    Parameters
    ----------
    merge : callable
        From two references and the span that both cover to a reference.
    """

    def __init__(self, merge: Callable[[Any, Any, Span], Any]) -> None:
        self._merge = merge
        self._held: list[tuple[Span, Any]] = []

    def push(self, span: Span, state: Any) -> None:
        """Add the state of the next parts."""
        self._held.append((span, state))
        while len(self._held) > 1 and _size(self._held[-2][0]) <= _size(self._held[-1][0]):
            self._join()

    @property
    def root(self) -> Any:
        """The state of all parts."""
        while len(self._held) > 1:
            self._join()
        return self._held[0][1]

    def _join(self) -> None:
        (right, right_state), (left, left_state) = self._held.pop(), self._held.pop()
        span = Span(left.start, right.stop)
        self._held.append((span, self._merge(left_state, right_state, span)))


def _size(span: Span) -> int:
    return span.stop - span.start


Model = FaastClassifier | EncodedClassifier
NO_ROWS = "the dataset holds no rows"


def describe_run(model: Model, part_rows: int, **rows: Any) -> dict[str, Any]:
    """Return all that decides what parts leave, as JSON values.

    Parameters
    ----------
    model : FaastClassifier, TextClassifier or ImageClassifier
    part_rows : int
    **rows
        What the rows are.
    """
    encoder = None if isinstance(model, FaastClassifier) else model.fingerprint
    run = {"library": __version__, "encoder": encoder, "part_rows": part_rows, **rows}
    described: dict[str, Any] = json.loads(json.dumps(run))
    return described


def learn_parts(
    ray: Any,
    model: Model,
    parts: Iterable[Part],
    workers: int | None = None,
    saved: SavedPartials | None = None,
    *,
    progress: bool = False,
) -> None:
    """Let a model that has learned no row learn all parts.

    Parameters
    ----------
    ray : module
        Connected.
    model : FaastClassifier, TextClassifier or ImageClassifier
        Left as it was after an error.
    parts : iterable of Part
    workers : int, optional
        One a GPU for encoders that use them, else one a processor core, unless given.
    saved : SavedPartials, optional
        Where finished parts are kept, and not learned again.
    progress : bool
        Show a bar while the last parts are waited for.

    Raises
    ------
    ValueError
        A row cannot be read, encoded or learned.
    """
    opened, classifier = recipe(model)
    unread, begun = iter(parts), None
    if opened is None:  # features of encoders have norm 1, and so a grid that is known
        pulled, begun = _begun(unread, classifier)
        unread = chain(pulled, unread)
    room = Room.on(ray, computes_floats(model), workers)
    crew = Crew(ray, room, opened, classifier, begun, saved)
    try:
        tree = _planted(ray, crew, unread, saved)
        for _ in progress_bar(crew.finish(), lambda: crew.fraction, "Learning", enabled=progress):
            pass
        root = ray.get(tree.root)
    finally:
        crew.dismiss()
    if saved is not None:
        saved.prune()
    _adopt(model, copy.deepcopy(root))  # out of the memory that Ray shares


def _begun(unread: Iterator[Part], classifier: FaastClassifier) -> tuple[list[Part], Partial]:
    """Learn the first rows of features here, to know their grid; return the parts that had them."""
    pulled: list[Part] = []

    def batches() -> Iterator[Batch]:
        for part in unread:
            pulled.append(part)
            yield from part.batches

    for features, labels in encode_batches(batches(), np.asarray):
        return pulled, Partial.of(clone(classifier).fit(features, labels)).emptied()
    raise DataError(NO_ROWS)


def _planted(ray: Any, crew: Crew, parts: Iterable[Part], saved: SavedPartials | None) -> MergeTree:
    """Hand out the parts that are not saved, and let what all leave be merged."""
    merge_task = ray.remote(merge).options(num_cpus=0)  # workers may hold every core
    tree = MergeTree(lambda left, right, span: merge_task.remote(left, right, span, saved))
    done = 0
    for part in parts:
        if part.index < done:
            continue
        span = None if saved is None else saved.widest(part.index)
        if saved is not None and span is not None:
            tree.push(span, ray.put(saved.load(span)))
        else:
            span = Span(part.index, part.index + 1)
            tree.push(span, crew.learn(part))
        if saved is not None:
            saved.prune()
        done = span.stop
    if not done:
        raise DataError(NO_ROWS)
    return tree


def recipe(model: Model) -> tuple[OpenedEncoder | None, FaastClassifier]:
    """Return the encoder of a model, not yet opened, and the settings of its classifier."""
    if isinstance(model, FaastClassifier):
        return None, clone(model).set_params(class_embeddings=None)
    opened = replace(model._opened, found=None)
    return opened, clone(model.classifier).set_params(class_embeddings=None)


def computes_floats(model: Model) -> bool:
    """Tell whether the encoder of a model can use a GPU; there may be none."""
    return not isinstance(model, FaastClassifier) and not model.encoder.reproducible


def _adopt(model: Model, partial: Partial) -> None:
    if isinstance(model, FaastClassifier):
        partial.into(model)
        return
    partial.into(model.classifier)
    names = filter(is_name, partial.classes.tolist()) if model.class_names else ()
    model._name(embed_names(model.encoder, names, model._embeddings()))
