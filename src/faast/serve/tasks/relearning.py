"""Learn a state anew where forgetting cannot give what learns the present rows at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faast.serve.tasks.log import Log
from faast.serve.tasks.records import Step
from faast.serve.tasks.state import TaskState


def relearned(state: TaskState, log: Log, steps: Sequence[Step] = ()) -> TaskState:
    """Return a state as one that learned its rows at once, as far as the log holds them.

    A model holds a sample of its rows once there are many. Forgetting makes the sample smaller, and
    only the log knows the rows that would take the free places.

    Parameters
    ----------
    state : TaskState
        The state after the changes of the log and the steps.
    log : Log
    steps : sequence of Step
        Of a change that the log does not have yet.
    """
    if not state.is_thinned:
        return state
    changed = {step.row: step for step in steps if step.changes_label}
    learned = [step for step in changed.values() if step.new.label is not None]
    numbers, labels, _, features = log.labelled()
    stay = [place for place, number in enumerate(numbers) if number not in changed]
    return state.relearn(
        np.array([*(features[place] for place in stay), *(step.features for step in learned)]),
        [*(labels[place] for place in stay), *(str(step.new.label) for step in learned)],
    )
