"""The command line `faast`: all commands, in the order in which the help lists them."""

import typer

from faast import __version__
from faast.cli._command import add_command
from faast.cli._examples import EXAMPLES
from faast.cli.add import add
from faast.cli.bench import app as bench
from faast.cli.classes import app as classes
from faast.cli.compare import compare
from faast.cli.demo import demo
from faast.cli.evaluate import evaluate
from faast.cli.explain import explain
from faast.cli.export import export
from faast.cli.forget import forget
from faast.cli.inspect import inspect
from faast.cli.learn import learn
from faast.cli.lm import app as lm
from faast.cli.merge import merge
from faast.cli.predict import predict
from faast.cli.relabel import relabel
from faast.cli.serve import app as serve
from faast.cli.suggest import suggest
from faast.cli.suspects import suspects
from faast.cli.watch import watch

app = typer.Typer(
    help="Teach a frozen model new answers in one pass: learn, forget and merge labelled rows.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo,
    learn,
    add,
    predict,
    evaluate,
    explain,
    forget,
    suspects,
    relabel,
    suggest,
    watch,
    merge,
    inspect,
    export,
    compare,
):
    add_command(app, command, EXAMPLES[command.__name__])
app.add_typer(classes, name="classes")
app.add_typer(serve, name="serve")
app.add_typer(bench, name="bench")
app.add_typer(lm, name="lm")


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"faast {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app(prog_name="faast")
