"""One run: parts to workers, what they leave into a tree, its root into a model."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from sklearn.base import clone

from faast._version import __version__
from faast.classifiers import EncodedClassifier
from faast.classifiers.chunks import chunks
from faast.classifiers.naming import embed_names, is_name
from faast.classifiers.opened import OpenedEncoder
from faast.data import Batch, DataError
from faast.distributed.crew import Crew, Room
from faast.distributed.partial import Partial
from faast.distributed.parts import Part
from faast.distributed.saved import SavedPartials, Span
from faast.distributed.tree import MergeTree
from faast.distributed.worker import merge
from faast.estimators import FaastClassifier
from faast.progress import follow

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
        for _ in follow(crew.finish(), lambda: crew.fraction, "Learning", enabled=progress):
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

    for features, labels in chunks(batches(), np.asarray):
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
