"""One method on one support: accuracy, calibration, seconds, bytes."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from faast import FaastClassifier
from faast._utils.arrays import AnyArray, FloatArray
from faast.evaluation.baselines import BASELINES
from faast.solvers.calibration import calibration_error

OURS = "faast"

Embeddings: TypeAlias = Mapping[Hashable, AnyArray] | None

Labelled: TypeAlias = tuple[AnyArray, AnyArray]
"""Rows of shape (n, d) and their labels of shape (n,)."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """What one method did.

    Attributes
    ----------
    hits : ndarray of shape (n,), bool
        Which test rows were named right.
    ece : float
        Expected calibration error; NaN without probabilities.
    seconds : float
        From labelled rows to a model that can answer: processor time of one thread, which other
        work on the machine disturbs less than the clock.
    bytes : int
        Held in order to predict.
    state_bytes : int
        Held in order to go on learning and forgetting; 0 where the method cannot.
    """

    hits: AnyArray
    ece: float
    seconds: float
    bytes: int
    state_bytes: int = 0

    @property
    def accuracy(self) -> float:
        """Share of test rows named right."""
        return float(self.hits.mean())


def check_methods(methods: Iterable[str]) -> None:
    """Raise a ValueError that lists the peers, if a method is none of them."""
    for name in methods:
        if name not in BASELINES:
            raise ValueError(f"unknown method {name!r}; there are {', '.join(BASELINES)}")


def takes_prior(method: str) -> bool:
    """Whether a method can be given class embeddings."""
    return method == OURS or "class_embeddings" in inspect.signature(BASELINES[method]).parameters


def build(method: str, embeddings: Embeddings = None, **options: Any) -> Any:
    """Make an unfitted method; class embeddings go to those that take them."""
    kind: Any = FaastClassifier if method == OURS else BASELINES[method]
    if embeddings is not None and takes_prior(method):
        options["class_embeddings"] = embeddings
    return kind(**options)


def measure(make: Callable[[], Any], support: Labelled, test: Labelled) -> Measurement:
    """Fit on a support, ask about other rows."""
    started = time.process_time()
    model = fitted(make(), support)
    seconds = time.process_time() - started
    rows, labels = test
    hits = model.predict(rows) == labels
    ece = np.nan
    if hasattr(model, "predict_proba"):
        ece = calibration_error(model.predict_proba(rows).max(axis=1), hits)
    return Measurement(hits, ece, seconds, *held_bytes(model))


def held_bytes(model: Any) -> tuple[int, int]:
    """Bytes to predict, and bytes to go on learning (0 where the method cannot)."""
    if isinstance(model, FaastClassifier):
        return model.compact().nbytes, model.nbytes
    return model.stored_bytes_, 0


def fitted(model: Any, support: Labelled) -> Any:
    """Fit, and solve what is otherwise solved when first asked."""
    model.fit(*support)
    if isinstance(model, FaastClassifier):
        _ = model.weights_
    return model


def warm_up(methods: Iterable[str]) -> None:
    """Fit everything once to next to nothing: imports and first calls are not adaptation."""
    rng = np.random.default_rng(0)
    support = rng.standard_normal((12, 8)), np.repeat([0, 1, 2], 4)
    embeddings: Embeddings = dict(enumerate(rng.standard_normal((3, 8))))
    for method in methods:
        fitted(build(method, embeddings), support).predict(support[0])


def over_rows(values: FloatArray) -> tuple[float, float]:
    """Mean over test rows or episodes, and half its 95% interval: 1.96 std / √n."""
    return float(values.mean()), float(1.96 * values.std() / np.sqrt(len(values)))
