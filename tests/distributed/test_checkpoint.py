"""The folder of an interrupted run."""

import pytest

from faast import FaastClassifier
from faast.distributed.checkpoint import Checkpoint
from faast.distributed.partial_state import PartialState
from faast.distributed.partitions import Span


@pytest.fixture
def state(unit_rows):
    rows, onehot = unit_rows
    return PartialState.of(FaastClassifier().fit(rows, onehot.argmax(axis=1)))


def test_a_state_comes_back_as_it_was(tmp_path, state):
    checkpoint = Checkpoint.open(tmp_path / "saved", {"run": 1})
    checkpoint.save(state, Span(0, 1))
    restored = Checkpoint.open(tmp_path / "saved", {"run": 1}).load(Span(0, 1))
    assert restored.classes.tolist() == state.classes.tolist()
    assert restored.statistics.moments == state.statistics.moments


def test_wider_states_replace_those_that_they_cover(tmp_path, state):
    checkpoint = Checkpoint.open(tmp_path, {})
    for span in (Span(0, 1), Span(1, 2), Span(0, 2), Span(2, 3)):
        checkpoint.save(state, span)
    assert checkpoint.find_widest(0) == Span(0, 2)
    checkpoint.prune()
    assert checkpoint.find_widest(1) is None
    assert checkpoint.find_widest(2) == Span(2, 3)
    assert len(list(tmp_path.glob("*.partial"))) == 2


def test_the_folder_of_another_run_is_refused(tmp_path):
    Checkpoint.open(tmp_path, {"run": 1})
    with pytest.raises(ValueError, match=r"another run has learned \(run was 1, now it is 2\)"):
        Checkpoint.open(tmp_path, {"run": 2})
