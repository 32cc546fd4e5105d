"""Examples that ``--help`` shows; tests run them in this order.

Groups of options: one parameter to a command, one option a field to Typer.

Arguments and options that commands share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from faast.encoders.registry import encoder_names

EXAMPLES = {
    "demo": ["faast demo"],
    "learn": [
        "faast learn reviews.csv -o reviews.faast",
        "faast learn images/ -o images.faast",
        "faast learn features.npz -o features.faast",
        "faast learn reviews.csv -o meanings.faast --encoder minilm --keep-features",
        "faast learn reviews.csv -o reviews.faast --ray local",
    ],
    "add": [
        "faast add reviews.faast more.csv",
        "cat more.csv | faast add meanings.faast - -o grown.faast",
    ],
    "predict": [
        "faast predict reviews.faast new.txt",
        'faast predict reviews.faast --row "worth every penny"',
        "cat new.txt | faast predict meanings.faast - --json",
    ],
    "evaluate": [
        "faast evaluate reviews.faast test.csv",
        "faast evaluate reviews.faast test.csv --plot confusion.png --json",
    ],
    "forget": ["faast forget reviews.faast more.csv"],
    "merge": ["faast merge reviews.faast other.faast -o both.faast"],
    "inspect": ["faast inspect reviews.faast"],
    "export": ["faast export reviews.faast --onnx reviews.onnx"],
    "compare": [
        "faast compare reviews.csv test.csv",
        "faast compare reviews.csv test.csv --encoder minilm --method gda --method logistic",
    ],
    "bench few-shot": ["faast bench few-shot reviews.csv test.csv --shots 5 --queries 5 --quick"],
    "bench full": ["faast bench full reviews.csv test.csv --method gda"],
    "bench streaming": ["faast bench streaming features.npz features.npz --tasks 2"],
    "bench sensitivity": ["faast bench sensitivity features.npz features.npz"],
    "bench efficiency": ["faast bench efficiency --quick --method k-nn"],
}


def epilog(examples: list[str]) -> str:
    """Return the examples of a command, one a line."""
    return "\n".join(["\b", "Examples:", *(f"  $ {example}" for example in examples)])


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Let Typer call a command some of whose parameters are groups.

    A group is a dataclass whose fields all have a default; its name among the parameters is seen
    by no user. Options stand in ``--help`` where the group stands in the signature.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type] = {}
    shown: list[Parameter] = []
    for parameter in signature(command).parameters.values():
        kind = hints[parameter.name]
        if not is_dataclass(kind):
            shown.append(_option(parameter.name, parameter.default, kind))
            continue
        assert isinstance(kind, type)
        groups[parameter.name] = kind
        kinds = get_type_hints(kind, include_extras=True)
        shown += [_option(field.name, field.default, kinds[field.name]) for field in fields(kind)]

    @wraps(command)
    def regrouped(**given: Any) -> None:
        made = {
            name: kind(**{field.name: given.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        command(**given, **made)

    described: Any = regrouped
    del described.__wrapped__  # Typer would look through it at the groups
    described.__signature__ = Signature(shown)
    described.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return regrouped


def _option(name: str, default: Any, kind: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)


class OnError(StrEnum):
    """What to do about a row that cannot be read."""

    STOP = "raise"
    SKIP = "skip"


DATA_HELP = (
    "File of rows (.csv, .tsv, .jsonl, .parquet, .npz), folder of images with a sub-folder a "
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
            autocompletion=encoder_names,
            help="hashing, pixels, minilm, st:NAME, clip:NAME or hf:NAME; hashing for texts, "
            "pixels for images and none for tables of numbers when it is not named.",
        ),
    ] = None
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit of the encoder's checkpoint.")
    ] = None


READING, ENCODING = Reading(), Encoding()
