"""Measure a method: its accuracy, calibration, seconds and bytes on one support.

Methods go by name: `OURS` is `FaastClassifier`, other names are keys of `BASELINES`.
"""

from __future__ import annotations

import gc
import inspect
import multiprocessing
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any, ParamSpec, TypeAlias, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from faast import FaastClassifier
from faast._utils.arrays import AnyArray, FloatArray
from faast.evaluation.baselines import BASELINES
from faast.evaluation.metrics import score_predictions

OURS = "faast"

Embeddings: TypeAlias = Mapping[Hashable, AnyArray] | None

P = ParamSpec("P")
T = TypeVar("T")

Labelled: TypeAlias = tuple[AnyArray, AnyArray]
"""Rows of shape (n, d) and their labels of shape (n,)."""

CALL_SECONDS = 0.5
"""`time_calls` repeats a call for about this long, at least 20 and at most 1,000 times."""


SLOW_SECONDS = 5.0
"""What takes longer to learn is measured once, where other measurements are repeated."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """Result of measuring one method; figures that were not measured are NaN.

    Attributes
    ----------
    hits : ndarray of shape (n,), bool
        Whether each test row got its true label.
    ece : float
        Expected calibration error; NaN if the method has no probabilities.
    seconds : float
        Processor time from labelled rows to a model that can answer. With one thread, other work
        on the machine disturbs it less than wall-clock time.
    bytes : int
        Size of what prediction needs.
    state_bytes : int
        Size of what further learning and forgetting need; 0 if the method can do neither.
    n_random_features : int
        Random features that the model reads besides the rows themselves.
    macro_f1 : float
        Mean F1 over the classes.
    wall_seconds : float
        `seconds` by the wall clock.
    predict_seconds : float
        Wall-clock time to predict all test rows in one call.
    """

    hits: AnyArray
    ece: float
    seconds: float
    bytes: int
    state_bytes: int = 0
    n_random_features: int = 0
    macro_f1: float = np.nan
    wall_seconds: float = np.nan
    predict_seconds: float = np.nan

    @property
    def accuracy(self) -> float:
        """Share of test rows with the right label, 0 to 1."""
        return float(self.hits.mean())


# -- methods by name ---------------------------------------------------------------------------


def check_methods(methods: Iterable[str]) -> None:
    """Raise a ValueError that lists the baselines if a name is not one of them."""
    for name in methods:
        if name not in BASELINES:
            raise ValueError(f"unknown method {name!r}; choose from {', '.join(BASELINES)}")


def takes_prior(method: str) -> bool:
    """Tell whether a method has a parameter ``class_embeddings``."""
    return method == OURS or "class_embeddings" in inspect.signature(BASELINES[method]).parameters


def build(method: str, embeddings: Embeddings = None, **options: Any) -> Any:
    """Construct a method.

    Parameters
    ----------
    method : str
        `OURS` or a key of `BASELINES`.
    embeddings : mapping of label to ndarray of shape (d,), optional
        Class embeddings, ignored by methods that take none.
    **options
        Further parameters of its constructor.

    Returns
    -------
    scikit-learn classifier
        Not fitted.
    """
    kind: Any = FaastClassifier if method == OURS else BASELINES[method]
    if embeddings is not None and takes_prior(method):
        options["class_embeddings"] = embeddings
    return kind(**options)


def one_thread() -> None:
    """Limit numpy, scipy and torch to one thread, so that seconds of all methods compare."""
    threadpool_limits(1)
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


def in_new_process(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a new process with one thread, and return what it returns.

    The process is a fork of one that has imported what methods need, so it starts at once. A script
    that calls this needs ``if __name__ == "__main__":``, as `multiprocessing` demands.

    Raises
    ------
    Exception
        What the function raises.
    BrokenProcessPool
        If the process was killed.
    """
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["__main__", __name__, "torch"])
    with ProcessPoolExecutor(1, mp_context=processes, initializer=_start_process) as pool:
        return pool.submit(call, *args, **kwargs).result()


def _start_process() -> None:
    one_thread()
    gc.freeze()  # else a collection would copy all that the fork shares, while the clock runs


def warm_up(methods: Iterable[str]) -> None:
    """Fit each method on a few rows, so that imports and first calls are not measured."""
    rng = np.random.default_rng(0)
    support = rng.standard_normal((12, 8)), np.repeat([0, 1, 2], 4)
    embeddings: Embeddings = dict(enumerate(rng.standard_normal((3, 8))))
    for method in methods:
        fit_and_solve(build(method, embeddings), support).predict(support[0])


# -- one method on one support -----------------------------------------------------------------


def model_bytes(model: Any) -> tuple[int, int]:
    """Return the bytes that prediction needs, and the bytes that further learning needs.

    Parameters
    ----------
    model : FaastClassifier, NaturalGradientClassifier or Baseline
        Fitted.
    """
    if hasattr(model, "compact"):
        return model.compact().nbytes, model.nbytes
    return model.stored_bytes_, 0


def measure(
    make: Callable[[], Any],
    support: Labelled,
    test: Labelled,
    *,
    size_of: Callable[[Any], tuple[int, int]] = model_bytes,
) -> Measurement:
    """Fit a method on a support and predict test rows.

    Parameters
    ----------
    make : callable
        Returns a scikit-learn classifier that is not fitted, for example ``partial(build, name)``.
    support, test : pair of ndarray
        Rows of shape (n, d) and labels of shape (n,).
    size_of : callable
        From the fitted model to its `bytes` and `state_bytes`; by default for `OURS` and
        baselines.
    """
    wall, processor = time.perf_counter(), time.process_time()
    model = fit_and_solve(make(), support)
    seconds = time.process_time() - processor
    wall_seconds = time.perf_counter() - wall
    rows, labels = test
    started = time.perf_counter()
    predicted = model.predict(rows)
    predict_seconds = time.perf_counter() - started
    confidence = model.predict_proba(rows).max(axis=1) if hasattr(model, "predict_proba") else None
    scores = score_predictions(labels, predicted, confidence, model.classes_)
    bytes_to_predict, bytes_to_learn = size_of(model)
    return Measurement(
        hits=scores.hits,
        ece=scores.ece,
        seconds=seconds,
        bytes=bytes_to_predict,
        state_bytes=bytes_to_learn,
        n_random_features=getattr(model, "n_random_features_", 0),
        macro_f1=scores.macro_f1,
        wall_seconds=wall_seconds,
        predict_seconds=predict_seconds,
    )


def fit_and_solve(model: Any, support: Labelled) -> Any:
    """Fit a model so that its first prediction has nothing left to solve; return the model.

    Parameters
    ----------
    model : scikit-learn classifier
    support : pair of ndarray
        Rows of shape (n, d) and labels of shape (n,).
    """
    model.fit(*support)
    _ = getattr(model, "weights_", None)  # FaastClassifier solves when its weights are first read
    return model


# -- seconds per call --------------------------------------------------------------------------


def time_calls(call: Callable[[int], Any]) -> FloatArray:
    """Repeat a call and time each repetition, after three calls that are not timed.

    Parameters
    ----------
    call : callable
        Takes the number of the repetition, from 0.

    Returns
    -------
    ndarray of shape (n_calls,), float64
        Seconds by the wall clock.
    """
    for i in range(3):
        call(i)
    spent: list[float] = []
    while len(spent) < 20 or (sum(spent) < CALL_SECONDS and len(spent) < 1_000):
        spent.append(_time(lambda: call(len(spent))))
    return np.array(spent)


def time_in_turns(calls: Mapping[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """Time several calls that take turns, so that disturbances of the machine hit all alike.

    Parameters
    ----------
    calls : mapping of name to callable
    turns : int
        Number of timed turns; one more comes first and is not timed.

    Returns
    -------
    dict of name to float
        Median seconds by the wall clock.
    """
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, call in calls.items():
            seconds = _time(call)
            if turn:
                spent[name].append(seconds)
    return {name: median(seconds) for name, seconds in spent.items()}


def _time(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
