"""`faast lm`: language models that learn from texts in one pass."""

import typer

from faast.cli.lm.pretrain import pretrain

app = typer.Typer(help="Language models: memories inside a frozen decoder.", no_args_is_help=True)
app.command()(pretrain)
