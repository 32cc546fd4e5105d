"""`faast demo`: handwritten digits learned in a stream, forgotten, and learned by backprop."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from rich.console import Console
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression, SGDClassifier

from faast import FaastClassifier
from faast.cli._options import Json
from faast.cli._output import emit, flatten, show_table
from faast.core.persistence import content_hash
from faast.evaluation.measure import Labelled, measure

HELD_OUT = 500
LATE_CLASS = 9
N_BATCHES = 6


def demo(json: Json = False) -> None:
    """Learn handwritten digits, and compare with backprop."""
    console = Console(stderr=json)
    learnable, held_out = _digits()
    console.print(
        f"scikit-learn's handwritten digits: {len(learnable[0])} images arrive in batches, "
        f"{HELD_OUT} are held out for testing; the digit {LATE_CLASS} arrives last\n"
    )
    model, facts = _stream(console, learnable, held_out)
    facts |= _forget(console, model, learnable)
    compared = _compare(learnable, held_out)
    if json:
        emit(facts | flatten(compared), json)
        return
    show_table(
        "all rows at once, measured now on this machine",
        ["", "accuracy", "learning", "bytes to predict", "prediction per row"],
        [
            [
                name.replace("_", " "),
                f"{row['accuracy']:.1%}",
                f"{row['adaptation_seconds'] * 1e3:.1f} ms",
                f"{row['stored_bytes']:,}",
                f"{row['prediction_seconds'] / HELD_OUT * 1e6:.2f} µs",
            ]
            for name, row in compared.items()
        ],
    )


def _digits() -> tuple[Labelled, Labelled]:
    images, digits = load_digits(return_X_y=True)
    images = images / np.linalg.norm(images, axis=1, keepdims=True)
    order = np.random.default_rng(0).permutation(len(images))
    held_out, learnable = order[:HELD_OUT], order[HELD_OUT:]
    return (images[learnable], digits[learnable]), (images[held_out], digits[held_out])


def _stream(
    console: Console, learnable: Labelled, held_out: Labelled
) -> tuple[FaastClassifier, dict[str, Any]]:
    """Learn batch after batch, the late class last, and print the accuracy after each."""
    images, digits = learnable
    early = np.flatnonzero(digits != LATE_CLASS)
    arrivals = [(f"batch {i + 1}", part) for i, part in enumerate(np.array_split(early, N_BATCHES))]
    arrivals.append((f"new class {LATE_CLASS}", np.flatnonzero(digits == LATE_CLASS)))
    model, seconds, learned, accuracy = FaastClassifier(), 0.0, 0, 0.0
    for name, rows in arrivals:
        started = time.perf_counter()
        model.partial_fit(images[rows], digits[rows])
        accuracy = float(model.score(*held_out))
        seconds += time.perf_counter() - started
        learned += len(rows)
        console.print(
            f"{name:<12} {learned:>5} images learned   accuracy {accuracy:6.1%}   "
            f"{seconds:6.3f} s so far"
        )
    return model, {"streamed_accuracy": accuracy, "streamed_seconds": seconds}


def _forget(console: Console, model: FaastClassifier, learnable: Labelled) -> dict[str, Any]:
    """Learn a batch of mislabelled images, forget it, and compare the states bit for bit."""
    images, digits = learnable[0][:100], (learnable[1][:100] + 1) % 10
    before = _fingerprint(model)
    spoiled = _fingerprint(model.partial_fit(images, digits))
    after = _fingerprint(model.forget(images, digits))
    console.print(
        f"\n100 mislabelled images learned: state {before} becomes {spoiled}"
        f"\nthe same 100 forgotten:         state {spoiled} becomes {after}, "
        f"{'bitwise what it was' if before == after else 'which DIFFERS from what it was'}\n"
    )
    return {"forgotten_without_a_trace": before == after}


def _fingerprint(model: FaastClassifier) -> str:
    """Return a short hash of everything that was learned: classes, statistics and sampled rows."""
    assert model.learned_ is not None
    state = model.learned_.to_state()
    return content_hash(state.tensors, state.metadata)[:12]


def _compare(learnable: Labelled, held_out: Labelled) -> dict[str, dict[str, Any]]:
    """Measure faast and two models trained by gradients, each fitted on all rows."""
    logistic = LogisticRegression(C=100.0, max_iter=1000)
    sgd = SGDClassifier(loss="log_loss", alpha=1e-5, random_state=0)
    measured = {
        "faast": measure(FaastClassifier, learnable, held_out),
        "logistic_regression": measure(
            lambda: logistic, learnable, held_out, size_of=_linear_bytes
        ),
        "linear_layer_by_SGD": measure(lambda: sgd, learnable, held_out, size_of=_linear_bytes),
    }
    return {
        name: {
            "accuracy": done.accuracy,
            "adaptation_seconds": done.wall_seconds,
            "stored_bytes": done.bytes,
            "prediction_seconds": done.predict_seconds,
        }
        for name, done in measured.items()
    }


def _linear_bytes(model: Any) -> tuple[int, int]:
    """Return the bytes of a linear model of scikit-learn, which cannot learn more rows exactly."""
    return model.coef_.nbytes + model.intercept_.nbytes, 0
