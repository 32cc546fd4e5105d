"""One method on one support: accuracy, calibration, seconds, bytes."""

from __future__ import annotations

import hashlib
import inspect
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import faast
from data import CACHE
from faast import FaastClassifier
from faast.baselines import BASELINES
from faast.confidence import calibration_error

OURS = "faast"

Embeddings = Mapping[Hashable, np.ndarray] | None


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

    hits: np.ndarray
    ece: float
    seconds: float
    bytes: int
    state_bytes: int = 0

    @property
    def accuracy(self) -> float:
        return float(self.hits.mean())


def takes_prior(method: str) -> bool:
    return method == OURS or "class_embeddings" in inspect.signature(BASELINES[method]).parameters


def build(method: str, embeddings: Embeddings = None, **options: Any) -> Any:
    """Make an unfitted method; class embeddings go to those that take them."""
    kind = FaastClassifier if method == OURS else BASELINES[method]
    if embeddings is not None and takes_prior(method):
        options["class_embeddings"] = embeddings
    return kind(**options)


def measure(make: Callable[[], Any], support: tuple, test: tuple) -> Measurement:
    """Fit on (rows, labels), ask about others."""
    started = time.process_time()
    model = fitted(make(), support)
    seconds = time.process_time() - started
    rows, labels = test
    hits = model.predict(rows) == labels
    ece = np.nan
    if hasattr(model, "predict_proba"):
        ece = calibration_error(model.predict_proba(rows).max(axis=1), hits)
    if isinstance(model, FaastClassifier):
        return Measurement(hits, ece, seconds, model.compact().nbytes, model.nbytes)
    return Measurement(hits, ece, seconds, model.stored_bytes_)


def fitted(model: Any, support: tuple) -> Any:
    """Fit, and solve what is otherwise solved when first asked."""
    model.fit(*support)
    if isinstance(model, FaastClassifier):
        _ = model.weights_
    return model


def warm_up(methods: list[str]) -> None:
    """Fit everything once to next to nothing: imports and first calls are not adaptation."""
    rng = np.random.default_rng(0)
    support = rng.standard_normal((12, 8)), np.repeat([0, 1, 2], 4)
    embeddings = dict(enumerate(rng.standard_normal((3, 8))))
    for method in methods:
        fitted(build(method, embeddings), support).predict(support[0])


class Archive:
    """Measurements of peers kept between runs, as they do not change when ours does.

    Parameters
    ----------
    reuse : bool
        Read what is kept; every measurement of a peer is written in any case.
    """

    def __init__(self, reuse: bool) -> None:
        self.reuse = reuse
        self.reused = 0
        sources = sorted((Path(faast.__file__).parent / "baselines").glob("*.py"))
        digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
        self._folder = CACHE / "measured" / digest[:16]

    def measure(
        self, key: str, make: Callable[[], Any], support: tuple, test: tuple
    ) -> Measurement:
        """Measure, or take what is kept under this key."""
        file = self._folder / f"{key}.npz"
        if self.reuse and file.exists():
            self.reused += 1
            with np.load(file) as kept:
                return Measurement(
                    kept["hits"], float(kept["ece"]), float(kept["seconds"]), int(kept["bytes"])
                )
        done = measure(make, support, test)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **asdict(done))
        return done
