"""Options that the benches share."""

from __future__ import annotations

from typing import Annotated

import typer

from faast.baselines import BASELINES

USUAL = ("nearest-mean", "k-nn", "ridge-cv", "paper-faast")

Methods = Annotated[
    list[str] | None,
    typer.Option("--method", help=f"Beside ours; may be repeated. {', '.join(BASELINES)}."),
]
Seed = Annotated[int, typer.Option(help="Of every random choice.")]
Quick = Annotated[bool, typer.Option("--quick", help="Less of everything; a rough answer soon.")]
