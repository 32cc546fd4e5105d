"""Arguments and options that commands share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from faast.encoders.loading import FAMILIES, PLAIN


class OnError(StrEnum):
    """What to do about a row that cannot be read."""

    STOP = "raise"
    SKIP = "skip"


def _encoders() -> list[str]:
    return [*(name for name in PLAIN if name != "precomputed"), *(f"{key}:" for key in FAMILIES)]


DATA_HELP = (
    "File of rows (.csv, .tsv, .jsonl, .parquet, .npz), folder of pictures with a sub-folder a "
    "class, folder of a saved dataset, or - for standard input (CSV; predict reads lines of text "
    "too, unless the first is a header that names text, sentence or the labels)."
)

Data = Annotated[str, typer.Argument(help=DATA_HELP, show_default=False)]
Model = Annotated[Path, typer.Argument(help="Model file.", show_default=False)]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="Model file to write.", show_default=False)
]
OtherOutput = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write here instead of over MODEL.")
]
Json = Annotated[bool, typer.Option("--json", help="Put one flat JSON object on stdout.")]


@dataclass(frozen=True)
class Reading:
    """How rows are read."""

    text_column: Annotated[
        str | None,
        typer.Option(
            "--text-column",
            "--row-column",
            help="Column that holds the rows; text, sentence, path, image or features, or the only "
            "one beside the label, when it is not named.",
        ),
    ] = None
    label_column: Annotated[
        str, typer.Option("--label-column", help="Column (or array) that holds the labels.")
    ] = "label"
    on_error: Annotated[
        OnError, typer.Option("--on-error", help="What to do about a row that cannot be read.")
    ] = OnError.STOP
    format: Annotated[
        str | None,
        typer.Option(
            help="csv, tsv, jsonl, parquet, npz or lines, of standard input too; by the suffix if "
            "it is not named."
        ),
    ] = None
    split: Annotated[
        str | None, typer.Option(help="Which part of a saved dataset that has several.")
    ] = None


@dataclass(frozen=True)
class Encoding:
    """What encodes rows."""

    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            autocompletion=_encoders,
            help="hashing, pixels, minilm, st:NAME, clip:NAME or hf:NAME; hashing for texts, "
            "pixels for pictures and none for tables of numbers when it is not named.",
        ),
    ] = None
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit of the encoder's checkpoint.")
    ] = None


READING, ENCODING = Reading(), Encoding()
