"""`faast serve token`: make, list and revoke the tokens that clients of a server show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faast.cli._command import add_command
from faast.cli._examples import EXAMPLES
from faast.cli._options import Json
from faast.cli._output import emit

if TYPE_CHECKING:
    from faast.serve.access.tokens import TokenFile

HELP = """Make, list and revoke tokens.

A token has a scope: 'ask' for questions, 'teach' also to see, teach and correct rows, 'admin' also
to create and delete tasks and to forget a source for good. Once there is a token, every client
needs one. A server that is running sees changes at once.
"""

app = typer.Typer(help=HELP, no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name; the history of tasks shows it.")]
Folder = Annotated[
    Path,
    typer.Option(
        file_okay=False, help="Folder that is served, with tasks or memories; created if missing."
    ),
]
FOLDER = Path("tasks")


def create(
    name: Name,
    scope: Annotated[
        str, typer.Option(metavar="ask|teach|admin", help="What the token allows; see above.")
    ],
    folder: Folder = FOLDER,
    json: Json = False,
) -> None:
    """Make a token and print it, once: the folder keeps only its hash."""
    secret = _tokens(folder).create(name, scope)
    emit({"token": secret, "name": name, "scope": scope}, json)


def list_tokens(folder: Folder = FOLDER, json: Json = False) -> None:
    """List names, scopes and the time at which each token was made."""
    tokens = _tokens(folder).tokens
    if json or tokens:
        emit({token.name: f"{token.scope}, made {token.created}" for token in tokens}, json)
    else:
        typer.echo(f"there is no token in {folder}", err=True)


def revoke(name: Name, folder: Folder = FOLDER, json: Json = False) -> None:
    """Make a token useless from now on."""
    _tokens(folder).revoke(name)
    emit({"revoked": name}, json)


def _tokens(folder: Path) -> TokenFile:
    from faast.serve.access.tokens import TokenFile  # needs the extra serve

    return TokenFile(folder)


for command, called in ((create, "create"), (list_tokens, "list"), (revoke, "revoke")):
    add_command(app, command, EXAMPLES[f"serve token {called}"], called)
