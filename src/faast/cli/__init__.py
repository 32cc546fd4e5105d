"""The command line: `faast`."""

import typer

from faast import __version__
from faast.cli import demo, models

app = typer.Typer(
    help="Teach a frozen model new answers in one pass: learn, forget and merge labelled rows.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo.demo)
for command in (
    models.learn,
    models.predict,
    models.evaluate,
    models.forget,
    models.merge,
    models.inspect,
):
    app.command()(command)


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
    app()
