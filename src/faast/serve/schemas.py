"""What requests and answers hold; FastAPI checks requests by it and describes it as OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from faast.serve.folder import NAME_PATTERN
from faast.serve.log import Change, Row

MAX_TEXT = 20_000
"""Characters that a text may have."""

MAX_LABEL = 200
"""Characters that a label or a source may have."""

MAX_ROWS = 1_000
"""Rows or texts that a request may have."""


def _visible(text: str) -> str:
    if not any(letter.isprintable() and not letter.isspace() for letter in text):
        raise ValueError("it has no visible character; write some text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("it has half of a surrogate pair; send whole characters") from error
    return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it has a line break or control character; write it on one line")
    return text


Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_visible)]
Label = Annotated[
    str, Field(max_length=MAX_LABEL), AfterValidator(_visible), AfterValidator(_one_line)
]
Texts = Annotated[list[Text], Field(min_length=1, max_length=MAX_ROWS)]


class Request(BaseModel):
    """Base class of requests: unknown members and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)


class NewTask(Request):
    """A task to create."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    encoder: Annotated[str, Field(max_length=MAX_LABEL)] = "hashing"


class NewRow(Request):
    """A row to teach."""

    text: Text
    label: Label
    source: Label | None = None


class Teaching(Request):
    """Rows to teach."""

    rows: Annotated[list[NewRow], Field(min_length=1, max_length=MAX_ROWS)]


class Correction(Request):
    """The label that a row should have."""

    label: Label


class Question(Request):
    """Texts to label."""

    texts: Texts


class Source(Request):
    """Whoever gave rows."""

    source: Label


class TaskAnswer(BaseModel):
    """A task: its number of rows, the number of rows per class, and the hash of its state."""

    name: str
    encoder: str
    rows: int
    classes: dict[str, int]
    state: str


class TasksAnswer(BaseModel):
    """All tasks, and why other files of the folder are not served."""

    tasks: list[TaskAnswer]
    unserved: dict[str, str]


class RowAnswer(BaseModel):
    """A row by its number."""

    id: int
    text: str
    label: str
    source: str | None

    @classmethod
    def of(cls, row: Row) -> RowAnswer:
        """Build from a row of the log."""
        return cls(**vars(row))


class RowsAnswer(BaseModel):
    """Rows; `next` is the `after` of the next page, if there are more."""

    rows: list[RowAnswer]
    next: int | None


class ChangeAnswer(BaseModel):
    """An acknowledged change; `state` is the hash of all that is learned after it."""

    position: int
    at: str
    kind: str
    n_rows: int
    undoes: int | None
    state: str

    @classmethod
    def of(cls, change: Change) -> ChangeAnswer:
        """Build from a change of the log."""
        return cls(**vars(change))


class TaughtAnswer(ChangeAnswer):
    """An acknowledged change, with the numbers of its rows."""

    ids: list[int]

    @classmethod
    def with_ids(cls, change: Change, ids: list[int]) -> TaughtAnswer:
        """Build from a change of the log and the numbers of its rows."""
        return cls(**vars(change), ids=ids)


class HistoryAnswer(BaseModel):
    """Changes, the latest first; `next` is the `before` of the next page, if there are more."""

    changes: list[ChangeAnswer]
    next: int | None


class CertificateAnswer(BaseModel):
    """Proof that a source was forgotten."""

    position: int
    at: str
    rows_forgotten: int
    state_before: str
    state_after: str


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


class ClassAccuracy(BaseModel):
    """Rows of a class, and how many of them get its label when left out."""

    rows: int
    right: int


class EvaluationAnswer(BaseModel):
    """Leave-one-out accuracy with its 95% Clopper-Pearson interval."""

    rows: int
    right: int
    accuracy: float
    interval: tuple[float, float]
    classes: dict[str, ClassAccuracy]
    state: str


class Classify(BaseModel):
    """A request in the shape that vLLM takes; members it does not need are ignored."""

    model: str
    input: Text | Texts


class ClassifyDatum(BaseModel):
    """The answer for one input; `probs` is in the order of `classes`."""

    index: int
    label: str
    probs: list[float]
    num_classes: int


class Usage(BaseModel):
    """Tokens; there are none."""

    prompt_tokens: int = 0
    total_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: Any = None


class ClassifyAnswer(BaseModel):
    """An answer in the shape that vLLM gives, with the classes in the order of `probs`."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    data: list[ClassifyDatum]
    classes: list[str]
    usage: Usage = Usage()


class ModelCard(BaseModel):
    """A model in the list of models."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["faast"] = "faast"


class ModelsAnswer(BaseModel):
    """The list of models."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class InferenceInput(BaseModel):
    """Texts as the Open Inference Protocol sends them."""

    name: Literal["text"]
    shape: Annotated[list[int], Field(max_length=2)]
    datatype: Literal["BYTES"]
    data: Texts


class InferenceOutput(BaseModel):
    """An output that is asked for."""

    name: Literal["label", "probability"]


class Inference(BaseModel):
    """A request of the Open Inference Protocol; without `outputs`, all are answered."""

    id: Annotated[str, Field(max_length=MAX_LABEL)] | None = None
    inputs: Annotated[list[InferenceInput], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[InferenceOutput], Field(max_length=2)] = []
