"""`faast lm`: language models that learn from texts in one pass."""

import typer

from faast.cli._command import add_command
from faast.cli.lm import generate as asking
from faast.cli.lm import learn as learning
from faast.cli.lm import pretrain
from faast.cli.lm._options import EXAMPLES

app = typer.Typer(
    help="Language models: learn texts, answers and chats in one pass, and ask.",
    no_args_is_help=True,
)
for command in (
    learning.learn,
    asking.perplexity,
    asking.generate,
    asking.classify,
    learning.fold,
    pretrain.pretrain,
):
    add_command(app, command, EXAMPLES[command.__name__])
