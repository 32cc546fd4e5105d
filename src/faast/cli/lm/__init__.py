"""`faast lm`: language models that learn from texts in one pass."""

import typer

from faast.cli.examples import epilog
from faast.cli.groups import grouped
from faast.cli.lm import asking, learning, pretrain
from faast.cli.lm.examples import EXAMPLES

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
    app.command(epilog=epilog(EXAMPLES[command.__name__]))(grouped(command))
