"""Data sets as their publishers lay them out, as lists of records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from os import PathLike
from pathlib import Path
from typing import Any

from faast.data import DataError
from faast.data.records import RecordSource
from faast.data.text_file import TextFile

Records = list[dict[str, str]]

POLARITY = {"0": "negative", "neg": "negative", "1": "positive", "pos": "positive"}
TEXT_COLUMNS = ("text", "sentence")
TAGGED = re.compile(r"\s*<(?!seg)")
SEGMENT = re.compile(r"\s*<seg[^>]*>(.*?)</seg>")
LONG_ICL_TASKS = ("GoEmotion", "BANKING77", "FewNERD", "TacRED", "Discovery", "DialogRE")


def sentiment(source: Any, *, split: str | None = None) -> Records:
    """Load SST-2 or IMDB: film reviews.

    Parameters
    ----------
    source : path or Hugging Face dataset
        A table or dataset with the columns ``text`` or ``sentence``, and ``label``; or a folder
        with the sub-folders ``pos`` and ``neg`` of one review a file.
    split : str, optional
        Which part of a dictionary of datasets.

    Returns
    -------
    list of dict
        ``text``, and ``label``: "positive" or "negative".

    Raises
    ------
    DataError
        Nothing there, or labels of another kind.
    """
    if isinstance(source, str | PathLike) and (Path(source) / "pos").is_dir():
        return list(_review_files(Path(source)))
    records: Records = []
    for fields in RecordSource(source, _review_columns, split=split):
        label = str(fields["label"])
        polarity = POLARITY.get(label, label)
        if polarity not in POLARITY.values():
            raise DataError(
                f"the label {label!r} is no sentiment; expected positive or negative, pos or neg, "
                "1 or 0"
            )
        text = next(fields[name] for name in TEXT_COLUMNS if name in fields)
        records.append({"text": str(text).strip(), "label": polarity})
    return records


def parallel_text(source: str | PathLike[str], target: str | PathLike[str]) -> Records:
    """Load a text and its translation, line by line.

    Parameters
    ----------
    source, target : path
        Plain lines (Multi30k), or files of the IWSLT campaigns: ``train.tags.*``, whose tagged
        lines are left out, and ``*.xml``, whose segments are read.

    Returns
    -------
    list of dict
        ``source`` and ``target``; pairs of which one is empty are left out.

    Raises
    ------
    DataError
        Nothing there, or another number of lines.
    """
    sides = [list(_sentences(Path(path))) for path in (source, target)]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"{source} has {len(sides[0])} lines and {target} {len(sides[1])}; they must "
            "translate each other line by line"
        )
    pairs = [{"source": s, "target": t} for s, t in zip(*sides, strict=True) if s and t]
    if not pairs:
        raise DataError(f"{source} and {target} hold no lines")
    return pairs


def translation_pairs(
    dataset: Any, source: str, target: str, *, split: str | None = None
) -> Records:
    """Load pairs of a dataset with a ``translation`` column, such as IWSLT 2017's.

    Parameters
    ----------
    dataset : Hugging Face dataset, or path of a saved one or of JSON lines
    source, target : str
        Codes of the languages, such as "en" and "de".
    split : str, optional

    Returns
    -------
    list of dict
        ``source`` and ``target``.

    Raises
    ------
    DataError
        Nothing there, or no such language.
    """
    records: Records = []
    for fields in RecordSource(dataset, ["translation"], split=split):
        pair = fields["translation"]
        if not {source, target} <= set(pair):
            raise DataError(
                f"the translations are of {', '.join(pair)}; there is none from {source!r} to "
                f"{target!r}"
            )
        records.append({"source": pair[source], "target": pair[target]})
    return records


def long_icl(source: Any, task: str, *, rounds: int = 1) -> Records:
    """Load a task of LongICLBench (arXiv 2404.02060): long prompts of examples, then a question.

    Parameters
    ----------
    source : path or Hugging Face dataset
        A folder with the published ``{task}-*.parquet`` files or that a dataset was saved to, or a
        dictionary of datasets by task.
    task : str
        "GoEmotion", "BANKING77", "FewNERD", "TacRED", "Discovery" or "DialogRE".
    rounds : int
        How often the prompt shows every label, 1 to 5.

    Returns
    -------
    list of dict
        ``prompt`` and ``label``.

    Raises
    ------
    ValueError
        No such task or number of rounds.
    DataError
        Nothing there.
    """
    if task not in LONG_ICL_TASKS:
        raise ValueError(f"unknown task {task!r}; there are {', '.join(LONG_ICL_TASKS)}")
    if not 1 <= rounds <= 5:
        raise ValueError(f"rounds must be in 1..5, got {rounds}")
    column = f"{rounds} Round Prompt"
    parts: list[Any] = [source]
    split: str | None = task
    if isinstance(source, str | PathLike):
        files = sorted(Path(source).rglob(f"{task}-*.parquet"))
        parts, split = (list(files), None) if files else ([source], task)
    return [
        {"prompt": fields[column], "label": fields["label"]}
        for part in parts
        for fields in RecordSource(part, [column, "label"], split=split)
    ]


def wikitext(source: Any, *, split: str | None = None) -> Records:
    """Load WikiText: paragraphs and titles, in order.

    Parameters
    ----------
    source : path or Hugging Face dataset
        A text file (one paragraph a line), or a dataset with the column ``text``.
    split : str, optional

    Returns
    -------
    list of dict
        ``text``, blank lines left out.
    """
    is_text = isinstance(source, str | PathLike) and Path(source).is_file()
    rows = RecordSource(source, ["text"], format="lines" if is_text else None, split=split)
    return [{"text": fields["text"]} for fields in rows if fields["text"].strip()]


def _review_columns(present: Any) -> list[str]:
    text = next((name for name in TEXT_COLUMNS if name in present), TEXT_COLUMNS[0])
    return [text, "label"]


def _review_files(folder: Path) -> Iterator[dict[str, str]]:
    for name in ("neg", "pos"):
        for path in sorted((folder / name).glob("*.txt")):
            yield {"text": path.read_text(encoding="utf-8").strip(), "label": POLARITY[name]}


def _sentences(path: Path) -> Iterator[str]:
    """Lines of a plain file; those without tags of a training file; the segments of an XML file."""
    for line in TextFile(path).lines():
        segment = SEGMENT.match(line)
        if segment:
            yield unescape(segment[1]).strip()
        elif path.suffix != ".xml" and not ("tags" in path.name and TAGGED.match(line)):
            yield line.strip()
