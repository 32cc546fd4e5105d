from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from faast import Moments
from faast.lm.state import SETTING, LearnedState


@dataclass(frozen=True)
class Inner(LearnedState):
    rows: Tensor


@dataclass(frozen=True)
class Outer(LearnedState):
    inner: Inner
    weights: Tensor
    moments: Moments
    count: int = 0
    scores: tuple[float, ...] = (0.0, 0.0)
    name: str = field(default="given", metadata=SETTING)


@pytest.fixture
def empty():
    return Outer(Inner(torch.empty(0, 3)), torch.zeros(2, 2), Moments(3, 1))


@pytest.fixture
def learned(empty):
    moments = Moments(3, 1).add(np.eye(3), np.ones((3, 1)))
    rows = Inner(torch.arange(6.0).view(2, 3))
    return replace(empty, inner=rows, moments=moments, count=3, scores=(0.5, 0.25), name="other")


def test_learned_fields_come_back_and_settings_stay(empty, learned):
    again = empty.from_state(learned.to_state())
    assert torch.equal(again.inner.rows, learned.inner.rows)
    assert (again.moments, again.count, again.scores) == (learned.moments, 3, (0.5, 0.25))
    assert again.name == "given"


def test_bytes_are_those_of_all_tensors(learned):
    assert learned.nbytes == 6 * 4 + 4 * 4 + learned.moments.nbytes


@pytest.mark.parametrize(
    "wrong",
    [
        lambda learned: replace(learned, weights=torch.zeros(2, 3)),
        lambda learned: replace(learned, weights=torch.zeros(2, 2, dtype=torch.float64)),
        lambda learned: replace(learned, inner=Inner(torch.zeros(2, 4))),
        lambda learned: replace(learned, inner=Inner(torch.zeros(6))),
    ],
)
def test_tensors_that_do_not_fit_are_refused(empty, learned, wrong):
    with pytest.raises(ValueError, match="this model needs"):
        empty.from_state(wrong(learned).to_state())


def test_a_missing_field_is_refused(empty, learned):
    state = learned.to_state()
    del state.tensors["weights"]
    with pytest.raises(KeyError, match="weights"):
        empty.from_state(state)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 1.5),
        ("count", True),
        ("count", "3"),
        ("count", 2**60),
        ("scores", [0.5]),
        ("scores", 0.5),
        ("scores", [0.5, None]),
        ("scores", [0.5, float("nan")]),
    ],
)
def test_numbers_of_another_type_are_refused(empty, learned, name, value):
    state = learned.to_state()
    state.metadata[name] = value
    with pytest.raises(ValueError, match=name):
        empty.from_state(state)


@pytest.mark.parametrize("entry", [1e10, float("inf"), float("nan")])
def test_entries_that_would_overflow_are_refused(empty, learned, entry):
    with pytest.raises(ValueError, match="beyond"):
        empty.from_state(replace(learned, weights=torch.full((2, 2), entry)).to_state())
