"""Suspects: learned rows whose label the others contradict."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from faast.serve.problems import RESPONSES
from faast.serve.routes.dependencies import PAGE, TheTask
from faast.serve.routes.evaluation import reviewed
from faast.serve.routes.rows import RowAnswer

router = APIRouter(prefix="/v1/tasks/{task}", tags=["evaluation"], responses=RESPONSES)


class SuspectAnswer(BaseModel):
    """A row, and the label that the others suggest.

    The probabilities are those of the row's own label and of the suggested one, by the model that
    has not learned the row.
    """

    row: RowAnswer
    suggested: str
    probability: float
    probability_of_suggested: float


class SuspectsAnswer(BaseModel):
    """Rows whose label is most likely wrong, the most likely first.

    Rows whose label a person has confirmed are left out, and so is the only row of a class.
    `estimated_wrong` is the expected number of wrong labels among all others.
    """

    suspects: list[SuspectAnswer]
    estimated_wrong: float
    state: str


@router.get("/suspects")
def list_suspects(
    task: TheTask, limit: Annotated[int, Query(ge=1, le=PAGE)] = 20
) -> SuspectsAnswer:
    """List the rows whose label is most likely wrong."""
    review = reviewed(task)
    suspected = [one for one in review.doubted if one.suggested != one.label][:limit]
    found = {one.row: one for one in suspected}
    return SuspectsAnswer(
        suspects=[
            SuspectAnswer(
                row=RowAnswer.of(task, row),
                suggested=found[row.id].suggested,
                probability=found[row.id].probability,
                probability_of_suggested=found[row.id].probability_of_suggested,
            )
            for row in task.find(list(found))
        ],
        estimated_wrong=sum(one.doubt for one in review.doubted),
        state=review.learned.state.hash,
    )
