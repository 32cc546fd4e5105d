"""Registration of commands: grouped options, one-line errors, and examples in the help."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

import typer
from sklearn.exceptions import NotFittedError

from faast.cli._output import escape_controls, finish_output
from faast.encoders import RowsNotLearnedError

EXPECTED_ERRORS = (
    ValueError,
    OSError,
    OverflowError,
    ImportError,
    NotFittedError,
    RowsNotLearnedError,
)
"""Errors whose message says what the user can do."""

TRACEBACK_VARIABLE = "FAAST_TRACEBACK"
"""Environment variable: set to 1, an error also shows where it was raised."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells report it."""

Command = Callable[..., None]


def add_command(
    app: typer.Typer, function: Command, examples: Sequence[str], name: str | None = None
) -> None:
    """Register a function as a command.

    The first paragraph of its docstring is what the list of commands shows.

    Parameters
    ----------
    app : typer.Typer
    function : callable
        Its parameters are annotated for Typer. A parameter whose type is a dataclass stands for a
        group of options, one per field; every field needs a default.
    examples : sequence of str
        Command lines to show at the end of the help.
    name : str, optional
        Name of the command; by default the name of the function.
    """
    epilog = "\n".join(["\b", "Examples:", *(f"  $ {example}" for example in examples)])
    app.command(name, epilog=epilog)(_expand_groups(_report_errors(function)))


def _report_errors(function: Command) -> Command:
    """Report every error as one line on stderr with exit status 1, and Ctrl-C with 130."""

    @wraps(function)
    def reporting(*args: Any, **kwargs: Any) -> None:
        try:
            with warnings.catch_warnings():
                # commands match columns by name themselves, and pass arrays in the right order
                warnings.filterwarnings("ignore", "X does not have valid feature names")
                warnings.showwarning = _show_warning
                function(*args, **kwargs)
            sys.stdout.flush()
        except (BrokenPipeError, typer.Exit, typer.Abort):
            raise  # Typer exits, quietly where the reader of standard output has closed it
        except KeyboardInterrupt as error:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from error
        except Exception as error:
            finish_output()
            if os.environ.get(TRACEBACK_VARIABLE, "0") != "0":
                traceback.print_exc()
            typer.echo(f"error: {escape_controls(describe_error(error))}", err=True)
            raise typer.Exit(1) from error

    return reporting


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning on stderr, without the place in the code that `warnings` shows."""
    typer.echo(f"warning: {escape_controls(' '.join(str(message).split()))}", err=True)


def describe_error(error: Exception) -> str:
    """Describe an error on one line; of one that nobody foresaw, the kind is named too."""
    message = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "not enough memory" + (f": {message}" if message else "")
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, EXPECTED_ERRORS) and message:
        return message
    kind = type(error).__name__
    return f"{kind}: {message or 'no message'} ({TRACEBACK_VARIABLE}=1 shows where)"


def _expand_groups(function: Command) -> Command:
    """Return a function with one parameter per option, which passes groups on as dataclasses."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, type] = {}
    options: list[Parameter] = []
    for parameter in signature(function).parameters.values():
        kind = hints[parameter.name]
        if not is_dataclass(kind):
            options.append(_option(parameter.name, parameter.default, kind))
            continue
        assert isinstance(kind, type)
        groups[parameter.name] = kind
        kinds = get_type_hints(kind, include_extras=True)
        options += [_option(field.name, field.default, kinds[field.name]) for field in fields(kind)]

    @wraps(function)
    def expanded(**given: Any) -> None:
        grouped = {
            name: kind(**{field.name: given.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        function(**given, **grouped)

    described: Any = expanded
    del described.__wrapped__  # Typer would follow it and find the groups
    described.__signature__ = Signature(options)
    described.__annotations__ = {option.name: option.annotation for option in options}
    return expanded


def _option(name: str, default: Any, kind: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
