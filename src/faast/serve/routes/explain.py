"""Explain the answer for one row."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from faast.encoders.base import Features
from faast.estimators.evidence import Evidence
from faast.serve.access.scopes import TheClient, may_see_rows
from faast.serve.problems import RESPONSES
from faast.serve.routes.ask import LabelAnswer, encode, label
from faast.serve.routes.dependencies import TheTask, taught_state
from faast.serve.routes.rows import RawRow, RowAnswer
from faast.serve.tasks.counters import count_novelty
from faast.serve.tasks.task import Task

router = APIRouter(prefix="/v1/tasks/{task}", tags=["ask"], responses=RESPONSES)

SIMILAR = 5
"""Learned rows that an explanation shows."""


class Word(BaseModel):
    """What a word says, or several neighbouring words of a long text."""

    text: str
    share: float


class Column(BaseModel):
    """What a number says."""

    name: str
    share: float


class Region(BaseModel):
    """What a region of a picture says; its place is in shares of the width and the height."""

    x: float
    y: float
    width: float
    height: float
    share: float


class SimilarRow(RowAnswer):
    """A learned row, and how much it is like the asked one: 1 if it is the same."""

    similarity: float


class ExplanationAnswer(LabelAnswer):
    """An answer, and why it is given.

    A `share` is the part of all evidence that speaks for the label rather than `against`, from -1
    to 1; `prior_share` is the part of the answer that is due to the name of the class alone. `rows`
    are learned rows that are most like this one; a token that may only ask is shown none.
    """

    against: str | None
    words: list[Word] | None
    regions: list[Region] | None
    columns: list[Column] | None
    prior_share: float
    rows: list[SimilarRow]
    state: str


@router.post("/explain")
def explain(task: TheTask, row: RawRow, client: TheClient) -> ExplanationAnswer:
    """Label a row, and say which of its parts and which learned rows the answer rests on."""
    state, raw = taught_state(task), row.of_kind(task.kind)
    features = encode(state, [raw])
    (found,) = label(state, features, novelty=True)
    count_novelty(task.name, [found["novelty_p_value"]])
    numbers = task.kind == "numbers"
    model, asked = (state.features_model, features[0]) if numbers else (state.model, raw)
    evidence = model.evidence(asked) if found["runner_up"] is not None else None
    shares = [] if evidence is None else _shares(evidence)
    return ExplanationAnswer(
        **found,
        against=found["runner_up"],
        words=[Word(text=name, share=share) for name, share in shares]
        if task.kind == "texts"
        else None,
        columns=[Column(name=name, share=share) for name, share in shares] if numbers else None,
        regions=_regions(shares, evidence) if task.kind == "pictures" else None,
        prior_share=model.explain(asked).prior_share,
        rows=_similar(task, features) if may_see_rows(client) else [],
        state=state.hash,
    )


def _shares(evidence: Evidence) -> list[tuple[str, float]]:
    """Return the name of each part, and its share of all evidence."""
    whole = sum(abs(part.effect) for part in evidence.parts) or 1.0
    return [(part.name, part.effect / whole) for part in evidence.parts]


def _regions(shares: list[tuple[str, float]], evidence: Evidence | None) -> list[Region]:
    """Return regions, which are given row by row."""
    if evidence is None:
        return []
    down, across = evidence.shape
    return [
        Region(
            x=place % across / across,
            y=place // across / down,
            width=1 / across,
            height=1 / down,
            share=share,
        )
        for place, (_, share) in enumerate(shares)
    ]


def _similar(task: Task, features: Features) -> list[SimilarRow]:
    """Return the learned rows that are most like one with these features, (1, d)."""
    near = dict(task.review().nearest(features[0], SIMILAR))
    rows = [RowAnswer.of(task, row) for row in task.find(list(near))]
    return [SimilarRow(similarity=near[row.id], **vars(row)) for row in rows]
