"""What every command says and how: results on stdout, progress and errors on stderr.

Files that commands write: checked before the work, not after it.
"""

from __future__ import annotations

import csv
import functools
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from sklearn.exceptions import NotFittedError

from faast.core.persistence import require_place
from faast.core.weights import FastWeights
from faast.encoders import RowsNotLearnedError

P = ParamSpec("P")
R = TypeVar("R")

INTERRUPTED = 130
UNBOUNDED = 10_000
"""Columns of a table that no terminal shows."""

EXPECTED = (ValueError, OSError, OverflowError, ImportError, NotFittedError, RowsNotLearnedError)


def one_line_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Report expected failures as one line on stderr and exit status 1; Ctrl-C as 130."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except BrokenPipeError:  # whoever read standard output has had enough
            raise
        except KeyboardInterrupt as error:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from error
        except EXPECTED as error:
            message = " ".join(str(error).split())
            typer.echo(f"error: {message}", err=True)
            raise typer.Exit(1) from error

    return wrapped


def emit(result: dict[str, Any], as_json: bool) -> None:
    """Show a flat result: as JSON, or as one line a fact."""
    if as_json:
        typer.echo(json.dumps({name: _strict(fact) for name, fact in result.items()}))
        return
    width = max(map(len, result))
    for name, fact in result.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {shown(fact)}")


def shown(fact: Any) -> str:
    """Write a fact for people."""
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if isinstance(fact, float):
        return f"{fact:.4g}"
    if isinstance(fact, list):
        return ", ".join(map(shown, fact[:20])) + (" …" if len(fact) > 20 else "")
    return " ".join(str(fact).split("\n"))


Answers = dict[str, list[Any]]
"""Columns of answers by name, with one value per row."""

_PLURALS = {"probability": "probabilities", "novelty": "novelties"}


def emit_answers(answers: Answers, facts: dict[str, Any], as_json: bool) -> None:
    """Show answers on stdout as CSV and facts on stderr, or both as one JSON object on stdout."""
    if as_json:
        emit({**facts, **join_answers([answers])}, as_json)
        return
    write_csv([answers])
    for name, fact in facts.items():
        typer.echo(f"{name.replace('_', ' ')}: {shown(fact)}", err=True)


def join_answers(batches: Iterable[Answers]) -> Answers:
    """Join batches of answers into whole columns, named in the plural as in JSON output."""
    columns: Answers = {}
    for answers in batches:
        for name, values in answers.items():
            columns.setdefault(_PLURALS.get(name, f"{name}s"), []).extend(values)
    return columns


def write_csv(batches: Iterable[Answers]) -> None:
    """Write batches of answers to stdout as CSV, as they arrive; probabilities get six decimals."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, answers in enumerate(batches):
        if number == 0:
            writer.writerow(answers)
        columns = [
            [f"{value:.6f}" for value in values] if name == "probability" else values
            for name, values in answers.items()
        ]
        writer.writerows(zip(*columns, strict=True))


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table to stdout."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = UNBOUNDED
    console.print(table)


def _strict(fact: Any) -> Any:
    """Return what JSON can say: it has no NaN and no infinities."""
    if isinstance(fact, list):
        return [_strict(part) for part in fact]
    return None if isinstance(fact, float) and not math.isfinite(fact) else fact


def describe_weights(weights: FastWeights) -> dict[str, Any]:
    """Return the diagnostics of fast weights as flat facts."""
    return {
        "rank": weights.rank,
        "condition": weights.condition,
        "explained": weights.explained,
        "strength": weights.strength,
    }


def require_output(output: Path, *inputs: str | Path | None) -> None:
    """Check that an output can be written and is none of the files that are read.

    Raises
    ------
    OSError
        See `require_place`.
    ValueError
        It is one of the inputs.
    """
    require_place(output)
    for given in inputs:
        if given and output.exists() and Path(given).exists() and output.samefile(given):
            raise ValueError(f"{output} is read and would be overwritten; name another output")
