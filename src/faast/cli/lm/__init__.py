"""The commands of `faast lm`: memories inside language models."""

import typer

from faast.cli.lm.pretrain import pretrain

lm = typer.Typer(help="Teach a frozen language model in one pass.", no_args_is_help=True)
lm.command()(pretrain)
