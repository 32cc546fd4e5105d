"""A small problem that every baseline should solve."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from faast._utils.arrays import AnyArray, FloatArray
from faast.evaluation.baselines import BASELINES, Baseline

LABELS = np.array(["heron", "crane", "egret", "stork"])
# Few steps of search where the published number takes seconds.
QUICK: dict[str, dict[str, int]] = {
    "random-relu-ridge": {"n_random": 300},
    "tip-adapter": {"n_betas": 20, "n_alphas": 5},
}


class Problem(NamedTuple):
    """Support rows and labels, queries and answers, one class embedding a label."""

    X: FloatArray
    y: AnyArray
    queries: FloatArray
    answers: AnyArray
    class_embeddings: dict[str, FloatArray]


@pytest.fixture
def draw() -> Callable[..., Problem]:
    """Draw unit rows around one unit centre a class; the embeddings lie near the centres."""

    def draw_problem(shots: int, noise: float = 0.08, seed: int = 0) -> Problem:
        rng = np.random.default_rng(seed)
        centres = unit(rng.standard_normal((len(LABELS), 24)))

        def sample(n: int) -> tuple[FloatArray, AnyArray]:
            codes = rng.permutation(np.repeat(np.arange(len(LABELS)), n))
            rows = centres[codes] + noise * rng.standard_normal((len(codes), 24))
            return unit(rows), LABELS[codes]

        embeddings = centres + noise * rng.standard_normal(centres.shape)
        return Problem(
            *sample(shots), *sample(25), dict(zip(LABELS.tolist(), embeddings, strict=True))
        )

    return draw_problem


@pytest.fixture
def problem(draw: Callable[..., Problem]) -> Problem:
    return draw(shots=8)


@pytest.fixture(params=sorted(BASELINES))
def name(request: pytest.FixtureRequest) -> str:
    if request.param == "linear-projection":
        pytest.importorskip("torch")
    return str(request.param)


@pytest.fixture
def takes_prior(name: str) -> bool:
    return "class_embeddings" in BASELINES[name]().get_params()


@pytest.fixture
def build(name: str, takes_prior: bool) -> Callable[..., Baseline]:
    """Construct the baseline, with the problem's class embeddings where it takes them."""

    def construct(problem: Problem, **parameters: Any) -> Baseline:
        prior = {"class_embeddings": problem.class_embeddings} if takes_prior else {}
        return BASELINES[name](**{**QUICK.get(name, {}), **prior, **parameters})

    return construct


def unit(rows: FloatArray) -> FloatArray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)
