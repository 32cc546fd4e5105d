"""`faast bench`: the protocols of the paper on one's own rows."""

import typer

from faast.cli.bench import costs, protocols, sensitivity
from faast.cli.examples import EXAMPLES, epilog

app = typer.Typer(
    help="Measure ours beside other methods: few-shot, full data, streams, exponents, efficiency.",
    no_args_is_help=True,
)
app.command("few-shot", epilog=epilog(EXAMPLES["bench few-shot"]))(protocols.few_shot)
app.command("full", epilog=epilog(EXAMPLES["bench full"]))(protocols.full)
app.command("streaming", epilog=epilog(EXAMPLES["bench streaming"]))(protocols.streaming)
app.command("efficiency", epilog=epilog(EXAMPLES["bench efficiency"]))(costs.efficiency)
app.command("sensitivity", epilog=epilog(EXAMPLES["bench sensitivity"]))(sensitivity.sensitivity)
