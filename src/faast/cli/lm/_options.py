"""Examples that ``faast lm COMMAND --help`` shows; tests run them in this order.

Arguments and options that the commands for language models share.

A language model with its memories and its tokenizer, by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from faast._utils.imports import import_optional

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from faast.lm import FaastForCausalLM, MemoryConfig

SENTIMENT = r"--prompt 'Review: {text}\nSentiment:' --answer ' {label}'"

EXAMPLES = {
    "learn": [
        "faast lm learn stories/ plays.txt -o plays",
        "faast lm learn stories/ questions.jsonl -o answers",
        f"faast lm learn stories/ reviews.csv -o critic {SENTIMENT}",
        "faast lm learn critic plays.txt -o both",
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
    "fold": ["faast lm fold plays -o folded"],
    "pretrain": ["faast lm pretrain stories/ plays.txt -o readouts --window 16"],
}


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


LONGEST_WINDOW = 1024


class Opened(NamedTuple):
    """A model that is ready to learn and to be asked."""

    model: FaastForCausalLM
    tokenizer: PreTrainedTokenizerBase

    def window(self, asked: int | None) -> int:
        """Return the length of windows.

        Raises
        ------
        ValueError
            Longer than the model's positions.
        """
        from faast.lm.architecture import longest_sequence

        limit = longest_sequence(self.model.config) or LONGEST_WINDOW
        if asked is not None and asked > limit:
            raise ValueError(f"a window of {asked} tokens; the model has {limit} positions")
        return asked or min(LONGEST_WINDOW, limit)


def open_model(name: str, running: Running = RUNNING, config: MemoryConfig | None = None) -> Opened:
    """Load a model, or a memory and the model that it was learned with.

    Parameters
    ----------
    name : str
        Name or folder of a model, or folder of a memory.
    running : Running, optional
    config : MemoryConfig, optional
        Of a model that has learned nothing.

    Raises
    ------
    FileNotFoundError
        A path that is no folder.
    ValueError
        A memory has settings of its own, or the device is not there.
    """
    if not Path(name).is_dir() and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise FileNotFoundError(f"there is no folder {name} of a model or a memory")
    transformers = import_optional("transformers", "lm")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    from faast.lm import FaastForCausalLM
    from faast.lm.checkpoint import holds_memories

    loading = {"dtype": running.dtype.value, "device_map": checked_device(running.device)}
    if not holds_memories(name):
        model = FaastForCausalLM.from_base(name, config, **loading)
    elif config is not None:
        raise ValueError(f"{name} is a memory with settings of its own; leave --memory out")
    else:
        model = FaastForCausalLM.from_pretrained(name, **loading)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model.base.name_or_path)
    return Opened(model, tokenizer)


def checked_device(name: str) -> str:
    """Return the name of a device that is there; raises `ValueError` otherwise."""
    import torch

    try:
        torch.empty(0, device=name)
    # unknown or without a driver; a build without it (CUDA asserts); a backend that lacks operators
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"the device {name!r} cannot be used: {reason}") from error
    return name
