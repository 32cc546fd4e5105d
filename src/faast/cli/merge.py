"""`faast merge`: merge two models into one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from faast.cli._columns import require_alike
from faast.cli._labels import merge_models, warn_of_look_alikes
from faast.cli._model import count_answers, count_rows, hold_model, load_model, solve_and_save
from faast.cli._options import Json, Output, model_argument
from faast.cli._output import check_model_output, emit_saved


def merge(
    first: Annotated[Path, model_argument("FIRST", "Model file.")],
    second: Annotated[
        Path, model_argument("SECOND", "Model file of the same kind of rows and encoder.")
    ],
    output: Output,
    json: Json = False,
) -> None:
    """Merge two models into one that has learned the rows of both."""
    check_model_output(output)
    if first.exists() and second.exists() and first.samefile(second):
        raise ValueError(
            f"{first} and {second} are one file, and its rows would count twice; name two models"
        )
    with hold_model(output):
        learner, other = load_model(first), load_model(second)
        require_alike(learner, other)
        merge_models(learner, other)
        solve_and_save(learner, output)
    warn_of_look_alikes(learner, output)
    emit_saved(
        {
            "model": str(output),
            "rows": count_rows(learner),
            **count_answers(learner),
        },
        json,
        output,
    )
