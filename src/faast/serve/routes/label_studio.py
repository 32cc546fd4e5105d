"""A model for Label Studio: each task has an address that a project there can be connected to.

Source: HumanSignal/label-studio, label_studio/ml/api_connector.py.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, TypeAdapter, ValidationError

from faast._utils.arrays import FloatArray
from faast.data.labels import normalise_label
from faast.serve.fields import Label, Text
from faast.serve.label_studio.labelling import Labelling
from faast.serve.label_studio.messages import Annotation, Event, Item, Predict, Project, Setup
from faast.serve.problems import RESPONSES, RequestError
from faast.serve.routes.dependencies import TheTask, Who
from faast.serve.tasks import links
from faast.serve.tasks.records import Change
from faast.serve.tasks.task import Task

router = APIRouter(prefix="/labelstudio/{task}", tags=["label studio"], responses=RESPONSES)

logger = logging.getLogger(__name__)

TEXT: TypeAdapter[str] = TypeAdapter(Text)
LABEL: TypeAdapter[str] = TypeAdapter(Label)

FOLLOWED = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED")
DELETED = ("ANNOTATION_DELETED", "ANNOTATIONS_DELETED", "TASKS_DELETED")


class Health(BaseModel):
    """The server answers."""

    status: str = "UP"
    model_class: str = "faast"


class SetupAnswer(BaseModel):
    """The project can be served; the version changes with every change of the task."""

    model_version: str


class Prediction(BaseModel):
    """A prediction for an item.

    `score` is the probability that two answers drawn from the probabilities agree: low where a
    label tells most.
    """

    result: list[dict[str, Any]]
    score: float
    model_version: str


class Predictions(BaseModel):
    """One prediction for each item."""

    results: list[Prediction]


class EventAnswer(BaseModel):
    """What became of an event; `position` is that of the change in the history, if it made one."""

    status: str
    position: int | None = None


@router.get("")
@router.get("/health")
def health(task: TheTask) -> Health:
    """Say that the task is there."""
    return Health()


@router.post("/setup")
def setup(task: TheTask, setup: Setup) -> SetupAnswer:
    """Check that the task can learn and answer what a project asks for."""
    _labelling(task, setup.schema_)
    return SetupAnswer(model_version=_version(task))


@router.post("/predict")
def predict(task: TheTask, asked: Predict) -> Predictions:
    """Predict the labels of items. An item without a text gets none, and comes last."""
    labelling = _labelling(task, asked.label_config)
    version, state = _version(task), task.state
    texts = [_text(item, labelling) for item in asked.tasks]
    readable = [text for text in texts if text is not None]
    if not readable or not state.can_answer:
        score = 0.0 if readable else 1.0
        nothing = Prediction(result=[], score=score, model_version=version)
        return Predictions(results=[nothing] * len(texts))
    shares = iter(state.probabilities(state.encode(readable)))
    classes = list(state.classes)
    results = []
    for text in texts:
        result, score = [], 1.0
        if text is not None:
            found = next(shares)
            result, score = _result(labelling, classes, found), float(found @ found)
        results.append(Prediction(result=result, score=score, model_version=version))
    return Predictions(results=results)


@router.post("/webhook")
def webhook(task: TheTask, event: Event, who: Who) -> EventAnswer:
    """Learn, correct or forget what people say in Label Studio.

    Events may come twice or in another order: an annotation is learned as its latest version says.
    """
    if event.action in FOLLOWED:
        change = _follow(task, event, who)
    elif event.action in DELETED:
        project = _project(event).key
        annotations = [f"annotation {gone.id}" for gone in event.annotations]
        items = [f"task {gone.id}" for gone in event.tasks]
        change = task.unfollow(_origin(project), annotations, items, who)
    elif event.action == "START_TRAINING":  # every annotation was learned when it came
        change = None
    else:
        return EventAnswer(status="Unknown event")
    return EventAnswer(status="ok", position=None if change is None else change.position)


def _follow(task: Task, event: Event, who: str | None) -> Change | None:
    project = _project(event)
    labelling = _labelling(task, project.label_config)
    items = [_item(annotation, item, labelling) for annotation, item in event.annotated()]
    return task.follow(_origin(project.key), items, who)


def _item(annotation: Annotation, item: Item, labelling: Labelling) -> links.Item:
    """Return what an annotation says, as a row."""
    text = _text(item, labelling)
    if text is None:
        raise _refusal(f"the items of the project have no text in {labelling.field!r}")
    try:
        label = None if annotation.was_cancelled else labelling.label_of(annotation.result)
        label = None if label is None else LABEL.validate_python(label)
    except ValidationError as error:
        raise _refusal(f"the label cannot be learned: {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise _refusal(f"an annotation cannot be learned: {error}") from error
    return links.Item(
        key=f"annotation {annotation.id}",
        part_of=f"task {item.id}",
        version=annotation.version,
        raw=text,
        label=label,
        source=annotation.source,
    )


def _labelling(task: Task, config: str) -> Labelling:
    """Return what a project asks for; raise a RequestError if the task cannot do it."""
    if task.kind != "texts":
        raise _refusal(f"this is a task of {task.kind}; Label Studio can teach tasks of texts only")
    try:
        return Labelling.parse(config)
    except ValueError as error:
        raise _refusal(str(error)) from error


def _project(event: Event) -> Project:
    if event.project is None:
        raise _refusal("the webhook sends no payload; switch on 'Send payload' in its settings")
    return event.project


def _refusal(detail: str) -> RequestError:
    """Return an error that is also logged, as Label Studio shows its status only."""
    logger.warning("Label Studio was refused: %s", detail)
    return RequestError(422, detail)


def _text(item: Item, labelling: Labelling) -> str | None:
    try:
        return TEXT.validate_python(item.data.get(labelling.field))
    except ValidationError:
        return None


def _result(labelling: Labelling, classes: list[str], shares: FloatArray) -> list[dict[str, Any]]:
    """Return the most probable of the labels that may be chosen; none if all are unknown."""
    offered = {normalise_label(label): label for label in labelling.labels}
    offered = offered or {label: label for label in classes}
    order = [classes[i] for i in np.argsort(-shares, kind="stable")]
    label = next((offered[label] for label in order if label in offered), None)
    return [] if label is None else labelling.result_for(label)


def _version(task: Task) -> str:
    """Return a name for the latest state: the number of its change, which people can compare.

    Ask for it before the state, so that predictions of a newer state are fetched again rather than
    those of an older one be kept.
    """
    return f"{task.name}-{task.position}"


def _origin(project: str) -> str:
    return f"label studio {project}"
