"""`faast lm`: teach language models from texts, and use what they learned."""

import typer

from faast.cli._command import add_command
from faast.cli.lm._options import EXAMPLES
from faast.cli.lm.classify import classify
from faast.cli.lm.export import export
from faast.cli.lm.fold import fold
from faast.cli.lm.forget import forget
from faast.cli.lm.generate import generate
from faast.cli.lm.inspect import inspect
from faast.cli.lm.learn import learn
from faast.cli.lm.merge import merge
from faast.cli.lm.perplexity import perplexity
from faast.cli.lm.pretrain import pretrain
from faast.cli.lm.serve import serve

HELP = """Teach a language model from your own texts.

A language model predicts how a text goes on. 'learn' reads your texts once and writes what it
learned into a folder, a memory. The model itself stays as it is, and can have any number of
memories. Where a command asks for a MODEL, give it a model, or a memory: the model then predicts
with what the memory learned.

\b
A first try, with a model that is named on Hugging Face or lies in a folder:
  $ faast lm perplexity MODEL chapter2.txt           how well is it predicted?
  $ faast lm learn MODEL chapter1.txt -o book        read another text, once
  $ faast lm perplexity book chapter2.txt            and now?
  $ faast lm generate book --prompt 'Once upon'      let it write

Texts are counted in tokens: words, or parts of words, as the model reads them.
"""

app = typer.Typer(help=HELP, no_args_is_help=True)
for command in (
    learn,
    forget,
    inspect,
    merge,
    perplexity,
    generate,
    classify,
    serve,
    fold,
    export,
    pretrain,
):
    add_command(app, command, EXAMPLES[command.__name__])
