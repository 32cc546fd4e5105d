"""Arguments and options that the commands for language models share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Dtype(StrEnum):
    """What the model computes in."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


TEXT_HELP = (
    "Running text (.txt), or records (.csv, .tsv, .jsonl, .parquet, folder of a saved dataset) "
    "with the columns messages (a chat), prompt and answer, or text."
)

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Name or folder of a Hugging Face model, or folder of a memory.",
        show_default=False,
    ),
]
Memory = Annotated[
    Path, typer.Option("--output", "-o", help="Folder of the memory to write.", show_default=False)
]
Prompt = Annotated[
    str | None,
    typer.Option(
        help=r"Prompt made of each record, columns in braces: 'Review: {text}\nSentiment:'.",
        show_default=False,
    ),
]
Answer = Annotated[
    str | None,
    typer.Option(help="Answer made of each record: ' {label}'.", show_default=False),
]
Split = Annotated[str | None, typer.Option(help="Which part of a saved dataset that has several.")]
Window = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="Tokens of a window; 1024, or the model's positions where they are fewer.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class Running:
    """How the model runs."""

    batch_size: Annotated[int, typer.Option(min=1, help="Rows of a batch.")] = 8
    device: Annotated[str, typer.Option(help="Where the model runs: cpu, cuda, cuda:1, mps.")] = (
        "cpu"
    )
    dtype: Annotated[
        Dtype,
        typer.Option("--dtype", help="What the model computes in; auto is what it is saved in."),
    ] = Dtype.AUTO


RUNNING = Running()
