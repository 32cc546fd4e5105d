"""Ask a task for the labels of texts."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from faast.serve.fields import Request, Texts
from faast.serve.problems import RESPONSES
from faast.serve.routes.dependencies import TheTask, taught_state

router = APIRouter(prefix="/v1/tasks/{task}", tags=["ask"], responses=RESPONSES)


class Question(Request):
    """Texts to label."""

    texts: Texts


class LabelAnswer(BaseModel):
    """The answer for one text."""

    label: str
    probability: float
    runner_up: str | None
    runner_up_probability: float | None
    probabilities: dict[str, float]


class QuestionAnswer(BaseModel):
    """One answer per text; `state` is the hash of the state that gave them all."""

    answers: list[LabelAnswer]
    state: str


@router.post("/ask")
def ask(task: TheTask, question: Question) -> QuestionAnswer:
    """Label texts, with the probability of every class and the runner-up."""
    state = taught_state(task)
    classes = list(state.classes)
    features = state.encode(question.texts)
    answers = [_label_answer(classes, shares.tolist()) for shares in state.probabilities(features)]
    return QuestionAnswer(answers=answers, state=state.hash)


def _label_answer(classes: list[str], shares: list[float]) -> LabelAnswer:
    order = sorted(range(len(classes)), key=lambda i: -shares[i])
    second = order[1] if len(order) > 1 else None
    return LabelAnswer(
        label=classes[order[0]],
        probability=shares[order[0]],
        runner_up=None if second is None else classes[second],
        runner_up_probability=None if second is None else shares[second],
        probabilities=dict(zip(classes, shares, strict=True)),
    )
