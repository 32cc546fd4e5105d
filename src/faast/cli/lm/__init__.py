"""`faast lm`: teach language models from texts, and use what they learned."""

import typer

from faast.cli._command import add_command
from faast.cli.lm._options import EXAMPLES
from faast.cli.lm.classify import classify
from faast.cli.lm.export import export
from faast.cli.lm.fold import fold
from faast.cli.lm.generate import generate
from faast.cli.lm.learn import learn
from faast.cli.lm.perplexity import perplexity
from faast.cli.lm.pretrain import pretrain
from faast.cli.lm.serve import serve

HELP = """Teach a language model from your texts in one pass.

The model itself never changes. What it learns goes into a memory: a folder that refers to the
model and can be used in its place. 'learn' writes a memory; 'perplexity', 'generate' and
'classify' use a model, with a memory or without, and 'serve' lets other programs use many
memories of one model. 'fold' merges a memory into a copy of its model,
which then runs without faast; 'export' writes it as a LoRA adapter. 'pretrain' trains extra layers
for the method as it was published.
"""

app = typer.Typer(help=HELP, no_args_is_help=True)
for command in (learn, perplexity, generate, classify, serve, fold, export, pretrain):
    add_command(app, command, EXAMPLES[command.__name__])
