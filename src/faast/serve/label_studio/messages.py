"""The messages that Label Studio sends to a model; members that are not needed are ignored.

Source: HumanSignal/label-studio, label_studio/ml/api_connector.py and label_studio/webhooks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from faast.serve.fields import MAX_ROWS

Id = Annotated[int, Field(ge=0, lt=2**63)]

Time = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC)),
]
"""A time that can be told in any zone."""


class Item(BaseModel):
    """A task of Label Studio: something to label."""

    id: Id
    data: dict[str, Any]


class Numbered(BaseModel):
    """Something deleted, of which only the number is left."""

    id: Id


class Value(BaseModel):
    """What was chosen with one tag; tags of other kinds than `Choices` have no choices."""

    choices: list[Any] = []


class Part(BaseModel):
    """What an annotation says with one tag."""

    from_name: str | None = None
    value: Value = Value()


class Annotation(BaseModel):
    """What one person said of one item."""

    id: Id
    task: Id
    result: list[Part]
    was_cancelled: bool = False
    updated_at: Time
    completed_by: Id | None = None

    @property
    def version(self) -> str:
        """When it was last changed, as a text of which the later one is larger."""
        return self.updated_at.astimezone(UTC).isoformat(timespec="microseconds")

    @property
    def source(self) -> str | None:
        """Who made it, so that a person's rows can be forgotten; names are not kept."""
        return None if self.completed_by is None else f"label studio user {self.completed_by}"


class Project(BaseModel):
    """The project that a message comes from."""

    id: Id
    created_at: Time
    label_config: str

    @property
    def key(self) -> str:
        """What tells projects apart, also those of several servers, as Label Studio writes it."""
        return f"{self.id}.{int(self.created_at.timestamp())}"


class Setup(BaseModel):
    """A project asks whether its configuration can be served; its access token is not kept."""

    schema_: Annotated[str, Field(alias="schema")]


class Predict(BaseModel):
    """A project asks for predictions."""

    tasks: Annotated[list[Item], Field(max_length=MAX_ROWS)]
    label_config: str


class Event(BaseModel):
    """Something happened in a project."""

    action: str
    project: Project | None = None
    annotation: Annotation | list[Annotation] | None = None
    task: Item | list[Item] | None = None
    annotations: Annotated[list[Numbered], Field(max_length=MAX_ROWS)] = []
    tasks: list[Numbered] = []

    @model_validator(mode="after")
    def _in_pairs(self) -> Self:
        if len(_listed(self.annotation)) != len(_listed(self.task)):
            raise ValueError(
                "each annotation comes with its task, and each task with its annotation"
            )
        return self

    def annotated(self) -> list[tuple[Annotation, Item]]:
        """Return annotations with their items; of each annotation the latest version."""
        pairs = zip(_listed(self.annotation), _listed(self.task), strict=True)
        in_time = sorted(pairs, key=lambda pair: pair[0].version)
        return list({annotation.id: (annotation, item) for annotation, item in in_time}.values())


def _listed(found: Any) -> list[Any]:
    if found is None:
        return []
    return found if isinstance(found, list) else [found]
