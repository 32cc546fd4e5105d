"""One run: parts to workers, what they leave into a tree, its root into a model."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from itertools import chain
from typing import Any

from sklearn.base import clone

from faast._version import __version__
from faast.classifiers import EncodedClassifier
from faast.classifiers.naming import embed_names, is_name
from faast.classifiers.opened import OpenedEncoder
from faast.data import DataError
from faast.distributed.crew import Crew
from faast.distributed.partial import Partial
from faast.distributed.parts import Part
from faast.distributed.saved import SavedPartials, Span
from faast.distributed.tree import MergeTree
from faast.distributed.worker import Worker, merge
from faast.estimators import FaastClassifier

Model = FaastClassifier | EncodedClassifier


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

    Raises
    ------
    ValueError
        A row cannot be read, encoded or learned.
    """
    opened, classifier = _recipe(model)
    unread = iter(parts)
    first = next(unread, None)
    if first is None:
        raise DataError("the dataset holds no rows")
    begun = None  # features of encoders have norm 1, and so a grid that is known
    if opened is None:
        begun = Worker(None, classifier).begin(first)
    n_gpus = _gpus(ray, model)
    crew = Crew(ray, workers or _places(ray, n_gpus), n_gpus, opened, classifier, begun, saved)
    root = _root(ray, crew, chain([first], unread), saved)
    _adopt(model, copy.deepcopy(root))  # out of the memory that Ray shares


def _root(ray: Any, crew: Crew, parts: Iterable[Part], saved: SavedPartials | None) -> Partial:
    """Learn the parts that are not saved, and return what all have left."""
    merge_task = ray.remote(merge).options(num_cpus=0)  # workers may hold every core
    tree = MergeTree(lambda left, right, span: merge_task.remote(left, right, span, saved))
    spans = {} if saved is None else saved.spans()
    done = 0
    for part in parts:
        if part.index < done:
            continue
        if saved is not None and part.index in spans:
            span = spans[part.index]
            tree.push(span, ray.put(saved.load(span)))
        else:
            span = Span(part.index, part.index + 1)
            tree.push(span, crew.learn(part))
        done = span.stop
    crew.finish()
    return ray.get(tree.root)


def _recipe(model: Model) -> tuple[OpenedEncoder | None, FaastClassifier]:
    """Return what workers encode and learn with."""
    if isinstance(model, FaastClassifier):
        return None, clone(model).set_params(class_embeddings=None)
    opened = OpenedEncoder(model._opened.settings, model.fingerprint)
    return opened, clone(model.classifier).set_params(class_embeddings=None)


def _gpus(ray: Any, model: Model) -> int:
    """Return GPUs a worker: one where there are some, unless integers are all it computes with."""
    exact = isinstance(model, FaastClassifier) or model.encoder.reproducible
    return 0 if exact or not ray.cluster_resources().get("GPU") else 1


def _places(ray: Any, n_gpus: int) -> int:
    return max(1, int(ray.cluster_resources().get("GPU" if n_gpus else "CPU", 1)))


def _adopt(model: Model, partial: Partial) -> None:
    if isinstance(model, FaastClassifier):
        partial.into(model)
        return
    partial.into(model.classifier)
    names = filter(is_name, partial.classes.tolist()) if model.class_names else ()
    model._name(embed_names(model.encoder, names, model._embeddings()))
