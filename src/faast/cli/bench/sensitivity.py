"""`faast bench sensitivity`: what the paper's exponent decides on rows from files."""

from __future__ import annotations

from faast.cli.comparing import encoded_pair
from faast.cli.options import ENCODING, READING, Data, Encoding, Json, Reading
from faast.cli.output import emit, one_line_errors, show_table
from faast.evaluation.methods import OURS
from faast.evaluation.sensitivity import sweep_alpha


@one_line_errors
def sensitivity(
    train: Data,
    test: Data,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Learn TRAIN with each exponent of the paper, and with ours, which has none; ask TEST."""
    learned, asked = encoded_pair(train, test, encoding, reading)
    [sweep] = sweep_alpha([learned], asked)
    if json:
        by_alpha = {f"alpha_{alpha:g}_accuracy": found for alpha, found in sweep.alphas.items()}
        emit({**by_alpha, "spread": sweep.spread, f"{OURS}_accuracy": sweep.ours}, json)
        return
    rows = [[f"paper, α = {alpha:g}", f"{found:.1%}"] for alpha, found in sweep.alphas.items()]
    show_table("Accuracy by exponent", ["", "accuracy"], [*rows, [OURS, f"{sweep.ours:.1%}"]])
