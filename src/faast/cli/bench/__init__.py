"""`faast bench`: the protocols of the paper on one's own rows."""

from collections.abc import Callable

import typer

from faast.cli.bench import costs, protocols, sensitivity
from faast.cli.examples import EXAMPLES, epilog
from faast.cli.groups import grouped

app = typer.Typer(
    help="Measure ours beside other methods: few-shot, full data, streams, exponents, efficiency.",
    no_args_is_help=True,
)
COMMANDS: dict[str, Callable[..., None]] = {
    "few-shot": protocols.few_shot,
    "full": protocols.full,
    "streaming": protocols.streaming,
    "efficiency": costs.efficiency,
    "sensitivity": sensitivity.sensitivity,
}
for name, command in COMMANDS.items():
    app.command(name, epilog=epilog(EXAMPLES[f"bench {name}"]))(grouped(command))
