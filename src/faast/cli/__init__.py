"""The command line: `faast`."""

import typer

from faast import __version__
from faast.cli import asking, bench, comparing, demo, files, learning, measuring
from faast.cli.examples import EXAMPLES, epilog
from faast.cli.groups import grouped
from faast.cli.lm import app as lm

app = typer.Typer(
    help="Teach a frozen model new answers in one pass: learn, forget and merge labelled rows.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo.demo,
    learning.learn,
    learning.add,
    asking.predict,
    measuring.evaluate,
    learning.forget,
    learning.merge,
    files.inspect,
    files.export,
    comparing.compare,
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
