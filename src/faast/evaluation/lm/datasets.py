"""Load text datasets as lists of records, from the files that their publishers provide."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape
from os import PathLike
from pathlib import Path
from typing import Any

from faast.data import DataError
from faast.data.records import RecordSource
from faast.data.text_file import TextFile

Records = list[dict[str, str]]

_SENTIMENTS = {"0": "negative", "neg": "negative", "1": "positive", "pos": "positive"}
_TEXT_COLUMNS = ("text", "sentence")
_TAG_LINE = re.compile(r"\s*<(?!seg)")
_SEGMENT = re.compile(r"\s*<seg[^>]*>(.*?)</seg>")
_LONG_ICL_TASKS = ("GoEmotion", "BANKING77", "FewNERD", "TacRED", "Discovery", "DialogRE")


def load_sentiment(source: Any, *, split: str | None = None) -> Records:
    """Load film reviews with their sentiment: SST-2 or IMDB.

    Parameters
    ----------
    source : path or Hugging Face dataset
        A table or dataset with a column ``text`` or ``sentence`` and a column ``label``, or a
        folder with the sub-folders ``pos`` and ``neg``, one file per review.
    split : str, optional
        Split to read from a dictionary of datasets.

    Returns
    -------
    list of dict
        ``text``, and ``label``: "positive" or "negative".

    Raises
    ------
    DataError
        If the source cannot be read, or if a label is not a sentiment.
    """
    if isinstance(source, str | PathLike) and (Path(source) / "pos").is_dir():
        return list(_read_review_files(Path(source)))
    records: Records = []
    for fields in RecordSource(source, _review_columns, split=split):
        label = str(fields["label"])
        sentiment = _SENTIMENTS.get(label, label)
        if sentiment not in _SENTIMENTS.values():
            raise DataError(
                f"the label {label!r} is no sentiment; expected positive or negative, pos or neg, "
                "1 or 0"
            )
        text = next(fields[name] for name in _TEXT_COLUMNS if name in fields)
        records.append({"text": str(text).strip(), "label": sentiment})
    return records


def load_parallel_text(source: str | PathLike[str], target: str | PathLike[str]) -> Records:
    """Load a text and its translation from two files, paired line by line.

    Parameters
    ----------
    source, target : path
        Plain text (Multi30k), ``train.tags.*`` files of IWSLT, whose lines of tags are skipped, or
        ``*.xml`` files of IWSLT, whose segments are read.

    Returns
    -------
    list of dict
        ``source`` and ``target``. Pairs with an empty side are left out.

    Raises
    ------
    DataError
        If a file cannot be read, if the numbers of lines differ, or if there are no pairs.
    """
    sources, targets = (list(_read_sentences(Path(path))) for path in (source, target))
    if len(sources) != len(targets):
        raise DataError(
            f"{source} has {len(sources)} lines and {target} {len(targets)}; they must "
            "translate each other line by line"
        )
    pairs = [{"source": s, "target": t} for s, t in zip(sources, targets, strict=True) if s and t]
    if not pairs:
        raise DataError(f"{source} and {target} hold no lines")
    return pairs


def load_translations(
    dataset: Any, source: str, target: str, *, split: str | None = None
) -> Records:
    """Load translations from a dataset with a ``translation`` column, such as IWSLT 2017.

    Parameters
    ----------
    dataset : path or Hugging Face dataset
        A dataset in memory, the folder of a saved one, or a file of JSON lines.
    source, target : str
        Language codes, such as "en" and "de".
    split : str, optional
        Split to read from a dictionary of datasets.

    Returns
    -------
    list of dict
        ``source`` and ``target``.

    Raises
    ------
    DataError
        If the dataset cannot be read, or if it lacks one of the languages.
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


def load_long_icl(source: Any, task: str, *, rounds: int = 1) -> Records:
    """Load a task of LongICLBench (arXiv 2404.02060): long prompts full of examples.

    Parameters
    ----------
    source : path or Hugging Face dataset
        A folder with the published ``{task}-*.parquet`` files, the folder of a saved dataset, or a
        dictionary of datasets by task.
    task : str
        "GoEmotion", "BANKING77", "FewNERD", "TacRED", "Discovery" or "DialogRE".
    rounds : int
        Number of times that the prompt shows each label, 1 to 5.

    Returns
    -------
    list of dict
        ``prompt`` and ``label``.

    Raises
    ------
    ValueError
        If the task is unknown or if ``rounds`` is out of range.
    DataError
        If the source cannot be read.
    """
    if task not in _LONG_ICL_TASKS:
        raise ValueError(f"unknown task {task!r}; there are {', '.join(_LONG_ICL_TASKS)}")
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


def load_wikitext(source: Any, *, split: str | None = None) -> Records:
    """Load the titles and paragraphs of WikiText, in order.

    Parameters
    ----------
    source : path or Hugging Face dataset
        A text file with one paragraph per line, or a dataset with a column ``text``.
    split : str, optional
        Split to read from a dictionary of datasets.

    Returns
    -------
    list of dict
        ``text``. Blank lines are left out.

    Raises
    ------
    DataError
        If the source cannot be read.
    """
    is_text = isinstance(source, str | PathLike) and Path(source).is_file()
    rows = RecordSource(source, ["text"], format="lines" if is_text else None, split=split)
    return [{"text": fields["text"]} for fields in rows if fields["text"].strip()]


def _review_columns(present: Sequence[str]) -> list[str]:
    text = next((name for name in _TEXT_COLUMNS if name in present), _TEXT_COLUMNS[0])
    return [text, "label"]


def _read_review_files(folder: Path) -> Iterator[dict[str, str]]:
    for name in ("neg", "pos"):
        for path in sorted((folder / name).glob("*.txt")):
            yield {"text": path.read_text(encoding="utf-8").strip(), "label": _SENTIMENTS[name]}


def _read_sentences(path: Path) -> Iterator[str]:
    """Yield the segments of an XML file, or the lines of another file that are not tags."""
    for line in TextFile(path).lines():
        segment = _SEGMENT.match(line)
        if segment:
            yield unescape(segment[1]).strip()
        elif path.suffix != ".xml" and not ("tags" in path.name and _TAG_LINE.match(line)):
            yield line.strip()
