"""Results on standard output: facts, tables and answers, for people or as JSON.

Progress, skipped rows and errors go to standard error.
"""

from __future__ import annotations

import csv
import json
import math
import os
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from faast.core.atomic_files import require_place
from faast.core.persistence import read_kind
from faast.evaluation.metrics import Scores

LISTED = 20
"""Entries of a list that are shown to people."""

NO_TERMINAL_COLUMNS = 10_000
"""Width of a table in a file or a pipe: nothing is cut off."""

CONTROL_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's control characters, lone surrogates, and separators of lines and paragraphs."""

DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that turn the direction of the text around them."""

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet take a text for a formula."""

Answers = dict[str, list[Any]]
"""Columns of answers by name, with one value per row."""

PROBABILITIES = {"probability", "runner_up_probability"}
"""Columns of answers that are written with six digits."""

PLURALS = {
    "suggested": "suggestions",
    "no_answer": "no_answer",
    "probability": "probabilities",
    "novelty": "novelties",
    "runner_up": "runners_up",
    "runner_up_probability": "runner_up_probabilities",
    "labels": "labels",
    "probabilities": "probabilities",
    "label_probabilities": "label_probabilities",
}
"""Plurals of column names that take more than an s."""


def emit(facts: Mapping[str, Any], as_json: bool) -> None:
    """Write named facts: one JSON object, or one line per fact."""
    if as_json:
        typer.echo(json.dumps({name: _to_json(value) for name, value in facts.items()}))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {format_value(value)}")


def emit_saved(facts: Mapping[str, Any], as_json: bool, output: Path) -> None:
    """Write facts about a file that was saved.

    The command has done its work: that standard output is full or closed is said on standard
    error, and is no failure. A script that tries failed commands again would learn rows twice.
    """
    try:
        emit(facts, as_json)
        sys.stdout.flush()
    except OSError as error:
        discard_output()
        with suppress(OSError):
            typer.echo(f"{output} is saved; the result could not be written: {error}", err=True)


def finish_output() -> None:
    """Write what standard output still holds; drop it if that fails."""
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()


def discard_output() -> None:
    """Drop what standard output still holds, so that Python does not fail on it at the exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def format_value(value: Any) -> str:
    """Format a fact for people, on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        more = " …" if len(value) > LISTED else ""
        return ", ".join(map(format_value, value[:LISTED])) + more
    return escape_controls(str(value))


def escape_controls(text: str) -> str:
    r"""Write characters that would command a terminal as escapes, such as \x1b.

    These are control characters, line ends among them, and those that turn the direction of text.
    """
    return "".join(_escape(letter) if _is_control(letter) else letter for letter in text)


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in CONTROL_CATEGORIES or letter in DIRECTIONS


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def describe_scores(scores: Scores) -> dict[str, float]:
    """Return the metrics of predicted labels as facts."""
    return {
        "accuracy": scores.accuracy,
        "macro_f1": scores.macro_f1,
        "calibration_error": scores.ece,
    }


def flatten(table: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Flatten facts per method, for JSON: the fact f of the method m-n is called m_n_f."""
    return {
        f"{row}_{fact}".replace("-", "_"): value
        for row, facts in table.items()
        for fact, value in facts.items()
    }


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table for people; the first column is aligned left, the others right."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(escape_controls(column), justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*map(escape_controls, row))
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = NO_TERMINAL_COLUMNS
    console.print(table)


def emit_answers(answers: Answers, facts: Mapping[str, Any], as_json: bool) -> None:
    """Write answers as CSV and facts to standard error, or both as one JSON object."""
    if as_json:
        emit({**facts, **join_answers([answers])}, as_json)
        return
    write_csv([format_probabilities(answers)])
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' ')}: {format_value(value)}", err=True)


def format_probabilities(answers: Answers) -> Answers:
    """Write the probabilities among answers with six digits; nothing else is changed."""
    shown = {
        name: [p if p is None else f"{p:.6f}" for p in answers[name]]
        for name in PROBABILITIES & answers.keys()
    }
    return answers | shown


def write_csv(batches: Iterable[Answers], safe_cells: bool = False) -> None:
    """Write batches of answers as they arrive: one CSV table with one header.

    Parameters
    ----------
    batches : iterable of answers
    safe_cells : bool
        Write an apostrophe before texts that a spreadsheet would take for formulas.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    on_terminal = sys.stdout.isatty()
    for number, answers in enumerate(batches):
        if number == 0:
            writer.writerow(answers)
        for row in zip(*answers.values(), strict=True):
            writer.writerow([_cell(value, safe_cells, on_terminal) for value in row])


def _cell(value: Any, safe: bool, on_terminal: bool) -> Any:
    if not isinstance(value, str):
        return value
    if on_terminal:
        value = escape_controls(value)
    return f"'{value}" if safe and value.startswith(FORMULA_SIGNS) else value


def join_answers(batches: Iterable[Answers]) -> Answers:
    """Join batches of answers into one list per column, named by the plural, for JSON."""
    joined: Answers = {}
    for answers in batches:
        for name, values in answers.items():
            joined.setdefault(PLURALS.get(name, f"{name}s"), []).extend(values)
    return joined


def check_output(output: Path, *inputs: str | Path | None) -> None:
    """Check, before the work begins, that a file can be written and is not one of the inputs.

    Raises
    ------
    OSError
        If its folder is missing, or `output` exists and is not a regular file.
    ValueError
        If `output` is one of the inputs.
    """
    require_place(output)
    for given in inputs:
        if given and output.exists() and Path(given).exists() and output.samefile(given):
            raise ValueError(f"{output} is read and would be overwritten; name another output")


def check_model_output(output: Path, *inputs: str | Path | None) -> None:
    """Check an output as `check_output` does, and that a file there is a model.

    Raises
    ------
    OSError, ValueError
        As for `check_output`, or if a model would replace a file of another kind, such as a table.
    """
    check_output(output, *inputs)
    if output.exists() and output.stat().st_size and read_kind(output) is None:
        raise ValueError(
            f"{output} is no model, and a model would overwrite it; name another output, or delete "
            "the file first"
        )


def _to_json(value: Any) -> Any:
    """Replace NaN and infinities, which JSON does not have, by null."""
    if isinstance(value, list):
        return [_to_json(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
