"""`faast lm classify`: choose the most likely of several answers to each prompt."""

from __future__ import annotations

import time
from typing import Annotated, Any

import numpy as np
import typer

from faast.cli._options import Json
from faast.cli._output import describe_scores, emit_answers
from faast.cli.lm._model import load_model
from faast.cli.lm._options import (
    RECORDS_HELP,
    RUNTIME,
    AnswerTemplate,
    Base,
    ModelName,
    PromptTemplate,
    Runtime,
    Split,
)
from faast.cli.lm._texts import PROMPT_AND_ANSWER, parse_template, read_prompts
from faast.evaluation.lm.prompts import Template, field_names
from faast.evaluation.metrics import score_predictions


def classify(
    model: ModelName,
    data: Annotated[str, typer.Argument(metavar="DATA", help=RECORDS_HELP, show_default=False)],
    prompt: PromptTemplate = None,
    answer: AnswerTemplate = None,
    choice: Annotated[
        list[str] | None,
        typer.Option(
            help="A label to choose from; give the option once for each. Default: all in DATA.",
            show_default=False,
        ),
    ] = None,
    split: Split = None,
    base: Base = None,
    runtime: Runtime = RUNTIME,
    json: Json = False,
) -> None:
    """Choose the likeliest of several answers to each prompt.

    The answers are compared by the probability of the first token in which they differ. The labels
    of the chosen answers and their probabilities go to standard output as CSV. If DATA has the
    right answers too, the share that was chosen rightly, and how well the probabilities can be
    trusted, are reported on standard error.
    """
    started = time.perf_counter()
    template = parse_template(prompt, answer) or PROMPT_AND_ANSWER
    column = _label_column(template)
    questions = read_prompts(data, template, split)
    labels = None
    if questions.answers is not None:
        labels = [str(fields[column]) for fields in questions.records]
    choices = sorted(set(choice or labels or []))
    if not choices:
        raise ValueError(f"{data} has no column {column!r}; name the choices with --choice")
    loaded = load_model(model, base, runtime)
    from faast.evaluation.lm.classification import answer_probabilities

    probabilities = answer_probabilities(
        loaded.model,
        loaded.tokenizer,
        questions.prompts,
        [template.answer.format_map({column: value}) for value in choices],
        batch_size=runtime.batch_size,
        progress=True,
    )
    chosen = [choices[index] for index in probabilities.argmax(axis=1)]
    confidence = probabilities.max(axis=1)
    facts: dict[str, Any] = {"rows": len(questions.prompts), "choices": choices}
    if labels is not None:
        scores = score_predictions(np.array(labels), np.array(chosen), confidence, choices)
        facts |= describe_scores(scores)
    facts |= {"seconds": time.perf_counter() - started}
    emit_answers({"label": chosen, "probability": confidence.tolist()}, facts, json)


def _label_column(template: Template) -> str:
    columns = field_names(template.answer)
    if len(columns) != 1:
        raise ValueError(
            "--answer must hold one column in braces, whose values are chosen from, such as "
            f"' {{label}}'; got {template.answer!r}"
        )
    return columns[0]
