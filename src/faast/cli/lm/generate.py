"""`faast lm perplexity`, `generate` and `classify`: what a model says, and how well."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from faast._utils.imports import import_optional
from faast.cli._options import Json
from faast.cli._output import describe_scores, emit, format_value, join_answers, write_csv
from faast.cli.lm._options import (
    RUNNING,
    TEXT_HELP,
    Answer,
    ModelName,
    Prompt,
    Running,
    Split,
    Window,
    open_model,
)
from faast.cli.lm._texts import PAIR, Asked, asked, documents, template_of, unescaped
from faast.evaluation.lm.prompts import Template, fields_of
from faast.evaluation.metrics import score_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORDS_HELP = (
    "Records (.csv, .tsv, .jsonl, .parquet, folder of a saved dataset) with the columns prompt and "
    "answer, or those of --prompt and --answer. Without answers nothing is scored."
)


def perplexity(
    model: ModelName,
    texts: Annotated[
        list[str], typer.Argument(metavar="TEXT...", help=TEXT_HELP, show_default=False)
    ],
    window: Window = None,
    split: Split = None,
    running: Running = RUNNING,
    json: Json = False,
) -> None:
    """Measure perplexity in windows that do not overlap, texts one after the other."""
    started = time.perf_counter()
    opened = open_model(model, running)
    import torch

    from faast.evaluation.lm import perplexity as measuring

    found = documents(texts, opened.tokenizer, split)
    tokens = torch.cat([document.tokens for document in found])
    length = opened.window(window)
    value = measuring.perplexity(
        opened.model, tokens.to(opened.model.device), length, running.batch_size
    )
    emit(
        {
            "perplexity": value,
            "tokens": len(tokens),
            "windows": len(tokens) // length,
            "window": length,
            "learned_tokens": opened.model.memory_size,
            "seconds": time.perf_counter() - started,
        },
        json,
    )


def generate(
    model: ModelName,
    data: Annotated[str | None, typer.Argument(help=RECORDS_HELP, show_default=False)] = None,
    prompt: Prompt = None,
    answer: Answer = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Tokens to write at most.")] = 128,
    beams: Annotated[int, typer.Option(min=1, help="Beams; one is greedy.")] = 1,
    split: Split = None,
    running: Running = RUNNING,
    json: Json = False,
) -> None:
    """Continue one prompt, or those of records: CSV on stdout, scores beside answers."""
    started = time.perf_counter()
    if data is not None:
        questions = asked(data, template_of(prompt, answer), split)
    elif prompt is not None:
        questions = Asked([unescaped(prompt)], None, [])
    else:
        raise ValueError("name either records or one text with --prompt")
    if questions.answers is not None:
        import_optional("sacrebleu", "evaluation")  # before the work, not after it
    opened = open_model(model, running)
    from faast.evaluation.lm.generation import continuations

    texts = continuations(
        opened.model,
        opened.tokenizer,
        questions.prompts,
        max_new_tokens=max_new_tokens,
        num_beams=beams,
        batch_size=running.batch_size,
        progress=True,
    )
    facts = {} if questions.answers is None else _scores(texts, questions.answers)
    facts |= {"rows": len(texts), "seconds": time.perf_counter() - started}
    _tell({"text": texts}, facts, json)


def classify(
    model: ModelName,
    data: Annotated[str, typer.Argument(help=RECORDS_HELP, show_default=False)],
    prompt: Prompt = None,
    answer: Answer = None,
    choice: Annotated[
        list[str] | None,
        typer.Option(
            help="A value of the answer's column to choose from; may be repeated. Those in DATA "
            "when none is named.",
            show_default=False,
        ),
    ] = None,
    split: Split = None,
    running: Running = RUNNING,
    json: Json = False,
) -> None:
    """Choose an answer for every record by the token that tells them apart: CSV on stdout."""
    started = time.perf_counter()
    template = template_of(prompt, answer) or PAIR
    column = _answer_column(template)
    questions = asked(data, template, split)
    labels = None if questions.answers is None else [str(row[column]) for row in questions.fields]
    choices = sorted(set(choice or labels or []))
    if not choices:
        raise ValueError(f"{data} has no column {column!r}; name the choices with --choice")
    opened = open_model(model, running)
    from faast.evaluation.lm.classification import answer_probabilities

    probabilities = answer_probabilities(
        opened.model,
        opened.tokenizer,
        questions.prompts,
        [template.answer.format_map({column: value}) for value in choices],
        batch_size=running.batch_size,
        progress=True,
    )
    said = [choices[place] for place in probabilities.argmax(axis=1)]
    certainty = probabilities.max(axis=1)
    facts: dict[str, Any] = {"rows": len(questions.prompts), "choices": choices}
    if labels is not None:
        scores = score_predictions(np.array(labels), np.array(said), certainty, choices)
        facts |= describe_scores(scores)
    facts |= {"seconds": time.perf_counter() - started}
    _tell({"label": said, "probability": certainty.tolist()}, facts, json)


def _answer_column(template: Template) -> str:
    columns = fields_of(template.answer)
    if len(columns) != 1:
        raise ValueError(
            f"--answer must hold one column in braces to choose a value of, got {template.answer!r}"
        )
    return columns[0]


def _scores(texts: Sequence[str], answers: Sequence[str]) -> dict[str, Any]:
    from faast.evaluation.lm.scores import corpus_bleu, exact_match

    bleu = corpus_bleu(texts, answers)
    return {
        "bleu": bleu.score,
        "bleu_half_interval": bleu.half_interval,
        "bleu_signature": bleu.signature,
        "exact_match": exact_match(texts, answers),
    }


def _tell(answers: dict[str, list[Any]], facts: dict[str, Any], json: bool) -> None:
    """Put answers on stdout as CSV and facts on stderr, or both in one JSON object."""
    if json:
        emit({**facts, **join_answers([answers])}, json)
        return
    write_csv([answers])
    for name, fact in facts.items():
        typer.echo(f"{name.replace('_', ' ')}: {format_value(fact)}", err=True)
