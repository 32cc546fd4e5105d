"""Arguments and options that `faast lm` commands share, and the examples their help shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

SENTIMENT = r"--prompt 'Review: {text}\nSentiment:' --answer ' {label}'"

EXAMPLES = {
    "learn": [
        "faast lm learn stories/ plays.txt -o plays",
        "faast lm learn stories/ questions.jsonl -o answers",
        f"faast lm learn stories/ reviews.csv -o critic {SENTIMENT}",
        "faast lm learn critic plays.txt -o both",
        "faast lm learn stories/ questions.jsonl -o facts --memory recall",
        "cat plays.txt | faast lm learn stories/ - -o piped",
    ],
    "forget": ["faast lm forget facts questions.jsonl -o emptied"],
    "inspect": ["faast lm inspect plays", "faast lm inspect facts --json"],
    "merge": [
        "faast lm learn stories/ plays.txt -o names --memory recall",
        "faast lm merge facts names -o known",
    ],
    "perplexity": [
        "faast lm perplexity stories/ plays.txt",
        "faast lm perplexity plays plays.txt --window 32 --json",
    ],
    "generate": [
        "faast lm generate plays --prompt 'the king' --max-new-tokens 8",
        "faast lm generate answers questions.jsonl --beams 2 --max-new-tokens 8 --json",
    ],
    "classify": [
        f"faast lm classify critic reviews.csv {SENTIMENT}",
        f"faast lm classify critic new.csv {SENTIMENT} --choice good --choice bad --json",
    ],
    "serve": ["faast lm serve memories --base stories"],
    "fold": ["faast lm fold plays -o folded"],
    "export": ["faast lm export plays -o adapter --rank 8"],
    "pretrain": ["faast lm pretrain stories/ plays.txt -o readouts --window 16"],
}
"""Examples by command. Tests run them in this order: later ones use what earlier ones wrote."""

ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="Model: its name on Hugging Face, its folder, or a GGUF file. Or the folder of a "
        "memory, which names its model.",
        show_default=False,
    ),
]
MemoryName = Annotated[
    str, typer.Argument(metavar="MEMORY", help="Folder of a memory.", show_default=False)
]
Texts = Annotated[
    list[str],
    typer.Argument(
        metavar="TEXTS",
        help="Text files, or folders of them (.txt, .md); - for plain text on standard input; or "
        "tables (.csv, .tsv, .jsonl, .parquet, folder of a saved Hugging Face dataset). A table "
        "has a column text, or columns prompt and answer, or a column messages with chats.",
        show_default=False,
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        help="The model of the memory, if it has moved since the memory was learned: its name on "
        "Hugging Face, its folder, or a GGUF file.",
        show_default=False,
    ),
]
RECORDS_HELP = (
    "Table (.csv, .tsv, .jsonl, .parquet, folder of a saved Hugging Face dataset) with a column "
    "prompt, or the columns that --prompt names. If it has the answers too, the results are scored."
)
MemoryFolder = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        help="Folder to write the memory to, named in letters, digits, - and _, so that 'faast lm "
        "serve' can serve it.",
        show_default=False,
    ),
]
PromptTemplate = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        help="How to make a prompt from each row of a table, with column names in braces: "
        r"'Review: {text}\nSentiment:'. \n stands for a line break.",
        show_default=False,
    ),
]
AnswerTemplate = Annotated[
    str | None,
    typer.Option(
        "--answer",
        help="How to make the answer that follows, with column names in braces: ' {label}'. Prompt "
        "and answer are joined as they are, so mind the space between them.",
        show_default=False,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        help="Which part of a saved Hugging Face dataset to read, such as train or test.",
        show_default=False,
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="Long texts are cut into windows of so many tokens, of which the model reads one at a "
        "time. Default: 1024, or as many as the model can read.",
        show_default=False,
    ),
]


class Dtype(StrEnum):
    """Number format of a model's weights."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


Device = Annotated[str, typer.Option(help="Device to run on: cpu, cuda, cuda:1, mps.")]
NumberFormat = Annotated[
    Dtype,
    typer.Option(
        "--dtype",
        help="Number format to compute in: bfloat16 needs half the room of float32. auto is "
        "the format that the model is saved in.",
    ),
]


@dataclass(frozen=True)
class Runtime:
    """How a model runs."""

    batch_size: Annotated[
        int,
        typer.Option(
            min=1, help="Number of texts to process at a time: more are faster, and need more room."
        ),
    ] = 8
    device: Device = "cpu"
    dtype: NumberFormat = Dtype.AUTO


RUNTIME = Runtime()
