"""`faast lm generate`: continue prompts, and score the results where the answers are known."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faast._utils.imports import import_optional
from faast.cli._options import Json
from faast.cli._output import emit_answers
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
from faast.cli.lm._texts import PromptSet, parse_template, read_prompts, unescape

if TYPE_CHECKING:
    from collections.abc import Sequence


def generate(
    model: ModelName,
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help=RECORDS_HELP, show_default=False)
    ] = None,
    prompt: PromptTemplate = None,
    answer: AnswerTemplate = None,
    max_new_tokens: Annotated[
        int, typer.Option(min=1, help="Largest number of tokens to write after each prompt.")
    ] = 128,
    beams: Annotated[
        int,
        typer.Option(
            min=1, help="Continuations to follow at a time; the likeliest is written. 1 is fastest."
        ),
    ] = 1,
    split: Split = None,
    base: Base = None,
    runtime: Runtime = RUNTIME,
    json: Json = False,
) -> None:
    """Continue prompts: write what comes next.

    The prompts are those in DATA, or without DATA the one text that --prompt gives. The
    continuations go to standard output as CSV. If DATA has the right answers too, the share of
    continuations that equal them, and how much they have in common with them (BLEU, 0 to 100), are
    reported on standard error.
    """
    started = time.perf_counter()
    if data is None and (answer is not None or split is not None):
        raise ValueError("--answer and --split are for DATA; leave them out, or name a table")
    if data is not None:
        questions = read_prompts(data, parse_template(prompt, answer), split)
    elif prompt is not None:
        questions = PromptSet([unescape(prompt)], None, [])
    else:
        raise ValueError(
            "nothing to continue: name DATA, a table of prompts, or give one text with --prompt"
        )
    if questions.answers is not None:
        import_optional("sacrebleu", "evaluation")  # so that a missing package is reported first
    loaded = load_model(model, base, runtime)
    from faast.evaluation.lm.generation import generate_continuations

    texts = generate_continuations(
        loaded.model,
        loaded.tokenizer,
        questions.prompts,
        max_new_tokens=max_new_tokens,
        num_beams=beams,
        batch_size=runtime.batch_size,
        progress=True,
    )
    facts = {} if questions.answers is None else _score(texts, questions.answers)
    facts |= {"rows": len(texts), "seconds": time.perf_counter() - started}
    emit_answers({"text": texts}, facts, json)


def _score(texts: Sequence[str], answers: Sequence[str]) -> dict[str, Any]:
    from faast.evaluation.lm.scores import corpus_bleu, exact_match

    bleu = corpus_bleu(texts, answers)
    return {
        "bleu": bleu.score,
        "bleu_half_interval": bleu.half_interval,
        "bleu_signature": bleu.signature,
        "exact_match": exact_match(texts, answers),
    }
