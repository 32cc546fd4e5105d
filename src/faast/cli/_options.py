"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from faast.encoders.registry import encoder_names
from faast.evaluation.baselines import BASELINES

SOURCES = (
    "a file with one example per row (.csv, .tsv, .jsonl, .parquet, .npz; .txt where no labels are "
    "needed), a folder of images with one sub-folder per class, a folder of a saved Hugging Face "
    "dataset, or - for "
)
LINES_OR_CSV = (
    "standard input: one text per line, or CSV if the first line is a header that names text, "
    "sentence or the labels"
)


def rows_argument(metavar: str, content: str, standard_input: str = "CSV on standard input") -> Any:
    """Describe an argument that names a file of rows.

    Parameters
    ----------
    metavar : str
        What the help calls the argument.
    content : str
        What the rows are for, such as "Labelled rows to learn".
    standard_input : str
        What "-" stands for.
    """
    help = f"{content}: {SOURCES}{standard_input}."
    return typer.Argument(metavar=metavar, help=help, show_default=False)


def model_argument(metavar: str, help: str) -> Any:
    """Describe an argument that names a model file."""
    return typer.Argument(metavar=metavar, help=help, show_default=False)


def method_option(usual: Sequence[str]) -> Any:
    """Describe the option that names the methods to compare with.

    Parameters
    ----------
    usual : sequence of str
        Methods that the command takes if none is named.
    """
    return typer.Option(
        "--method",
        metavar="METHOD",
        help=f"Method to compare with; may be repeated. One of {', '.join(BASELINES)}. By default "
        f"{', '.join(usual)}.",
        show_default=False,
    )


Train = Annotated[str, rows_argument("TRAIN", "Labelled rows to learn")]
Test = Annotated[
    str,
    typer.Argument(
        metavar="TEST",
        help="Labelled rows to test on, in any of the forms of TRAIN.",
        show_default=False,
    ),
]
Model = Annotated[Path, model_argument("MODEL", "Model file that faast learn wrote.")]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        help="Model file to write: a new file, or a model to replace.",
        show_default=False,
    ),
]
OtherOutput = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Model file to write; by default MODEL is replaced."),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="COLUMN",
        help="Column of the numbers to predict; repeat the option, or separate columns by commas, "
        "for several numbers per row. A model that has learned numbers remembers their columns.",
        show_default=False,
    ),
]
Interval = Annotated[
    float,
    typer.Option(
        help="Wanted share of rows whose true number lies within its interval, such as 0.9."
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Write the result as one JSON object to standard output.")
]


class OnError(StrEnum):
    """What to do with a row that cannot be read."""

    STOP = "raise"
    SKIP = "skip"


@dataclass(frozen=True)
class Reading:
    """Options that say how to read a file of rows."""

    text_column: Annotated[
        str | None,
        typer.Option(
            "--text-column",
            "--row-column",
            help="Column that holds the texts, image paths or features. By default text, sentence, "
            "path, image or features, or the only column beside the labels; a table of numbers may "
            "spread its features over all columns.",
        ),
    ] = None
    label_column: Annotated[
        str, typer.Option("--label-column", help="Column (or array) that holds the labels.")
    ] = "label"
    label_separator: Annotated[
        str | None,
        typer.Option(
            "--label-separator",
            help='What separates several labels in one cell, such as ";". By default ; or | where '
            'the file plainly uses it; "" reads every cell as one label.',
        ),
    ] = None
    label_columns: Annotated[
        str | None,
        typer.Option(
            "--label-columns",
            metavar="A,B,...",
            help="Columns that each mark one label, their name, with 1 where a row has it and 0 "
            "elsewhere, instead of a label column.",
        ),
    ] = None
    on_error: Annotated[
        OnError,
        typer.Option(
            "--on-error",
            help="What to do with a row that cannot be read: raise stops, skip leaves it out.",
        ),
    ] = OnError.STOP
    format: Annotated[
        str | None,
        typer.Option(
            help="Format of the file or of standard input: csv, tsv, jsonl, parquet, npz or lines. "
            "By default the suffix of the file decides."
        ),
    ] = None
    split: Annotated[
        str | None,
        typer.Option(help="Split of a saved dataset that has several, such as train."),
    ] = None

    @property
    def marks(self) -> list[str]:
        """The columns that mark labels."""
        return [name.strip() for name in (self.label_columns or "").split(",") if name.strip()]


@dataclass(frozen=True)
class Encoding:
    """Options that choose the encoder."""

    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            autocompletion=encoder_names,
            help="Frozen model that turns texts or images into features: hashing, pixels, minilm, "
            "st:NAME, clip:NAME or hf:NAME. By default hashing for texts and pixels for images; "
            "tables of numbers need none.",
        ),
    ] = None
    revision: Annotated[
        str | None,
        typer.Option(help="Branch, tag or commit of the encoder's checkpoint on the hub."),
    ] = None


READING, ENCODING = Reading(), Encoding()
