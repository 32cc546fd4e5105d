"""Plain text that a command names: files, folders of files, and standard input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from faast.data import DataError
from faast.data.cells import parse_text
from faast.data.open import holds_saved_dataset
from faast.data.text_file import TextFile

SUFFIXES = (".txt", ".md")
STANDARD_INPUT = "-"


def find_sources(named: Sequence[str]) -> list[str]:
    """Return what is named, with the text files of a folder in its place, sorted by their paths.

    Hidden files and folders are no texts. Other files of a folder are left out, and counted on
    standard error. The folder of a saved dataset stays as it is.

    Raises
    ------
    DataError
        A folder holds no text files.
    """
    return [source for name in named for source in _find(name)]


def _find(name: str) -> list[str]:
    folder = Path(name)
    if not name or not folder.is_dir() or holds_saved_dataset(folder):
        return [name]
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(x.startswith(".") for x in path.relative_to(folder).parts)
    )
    texts = [str(path) for path in files if is_text_file(path)]
    if not texts:
        raise DataError(
            f"the folder {name} holds no text files ({', '.join(SUFFIXES)}) and no saved dataset; "
            "name a folder of text files, or a file"
        )
    if len(texts) < len(files):
        others = len(files) - len(texts)
        typer.echo(
            f"of {name}, text files are read: {len(texts)}; files of other kinds are left out: "
            f"{others}",
            err=True,
        )
    return texts


def is_text_file(source: str | Path) -> bool:
    """Return whether a source is plain text, by its suffix, or standard input."""
    return source == STANDARD_INPUT or Path(source).suffix.lower() in SUFFIXES


def read_text(source: str) -> str:
    """Read a whole text file, or standard input.

    Raises
    ------
    DataError
        It is missing, empty, no text or not encoded in UTF-8.
    """
    file = TextFile(None if source == STANDARD_INPUT else Path(source))
    text = "".join(file.lines())
    if "\0" in text:
        raise DataError(
            f"{file.name} holds zero bytes, which no text has: it is a picture, a document of "
            "another program, or the like; save its text as UTF-8, and name that file"
        )
    try:
        return parse_text(text)
    except ValueError as error:
        raise DataError(f"{file.name}: {error}") from error
