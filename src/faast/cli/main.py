"""The command line: `faast`."""

import typer

from faast import __version__
from faast.cli import bench
from faast.cli._options import EXAMPLES, epilog, grouped
from faast.cli.compare import compare
from faast.cli.demo import demo
from faast.cli.evaluate import evaluate
from faast.cli.inspect import export, inspect
from faast.cli.learn import add, forget, learn, merge
from faast.cli.lm import app as lm
from faast.cli.predict import predict

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
    forget,
    merge,
    inspect,
    export,
    compare,
):
    app.command(epilog=epilog(EXAMPLES[command.__name__]))(grouped(command))
app.add_typer(bench.app, name="bench")
app.add_typer(lm, name="lm")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"faast {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and stop."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line."""
    app(prog_name="faast")
