"""`faast bench`: the protocols of the paper on one's own rows."""

import typer

from faast.cli.bench import costs, protocols
from faast.cli.examples import epilog

app = typer.Typer(
    help="Measure ours beside other methods: few-shot, full data, streams, efficiency.",
    no_args_is_help=True,
)
app.command("few-shot", epilog=epilog("bench few-shot"))(protocols.few_shot)
app.command("full", epilog=epilog("bench full"))(protocols.full)
app.command("streaming", epilog=epilog("bench streaming"))(protocols.streaming)
app.command("efficiency", epilog=epilog("bench efficiency"))(costs.efficiency)
