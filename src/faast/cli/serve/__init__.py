"""`faast serve`: teach and ask over HTTP and on a page, and make the tokens for it."""

import typer

from faast.cli._command import add_command
from faast.cli._examples import EXAMPLES
from faast.cli.serve import token
from faast.cli.serve._group import DefaultGroup
from faast.cli.serve.start import start

HELP = """Teach and ask over HTTP, and on a page.

'faast serve FOLDER' starts the server, as 'faast serve start FOLDER' does; 'start --help' shows
its options. 'token' makes the tokens that other machines need.
"""

app = typer.Typer(help=HELP, cls=DefaultGroup)
add_command(app, start, EXAMPLES["serve start"])
app.add_typer(token.app, name="token")
