"""Folders of images, with one sub-folder per class."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from faast.data.images import SUFFIXES
from faast.data.reader import Choose, DataError, LeftOut, Modality, Reader, Record, RowError

_PATH, _LABEL = "path", "label"
_KNOWN = ", ".join(SUFFIXES)

_MAX_DEPTH = 100
"""Most levels of folders."""

_MAX_LINKS = 16
"""Most links to one folder, so that links cannot multiply without end."""


class ImageFolderReader(Reader):
    """Read images in the order of their paths; the sub-folder of an image is its label.

    Images may lie deeper: the outermost sub-folder counts. Links to folders are followed. Hidden
    files and folders, whose names begin with a point, are no data. All other files and folders
    that give no row are reported as left out.

    Parameters
    ----------
    folder : pathlib.Path
    """

    unit: ClassVar[str] = "image"
    modality: ClassVar[Modality | None] = "image"

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder

    def records(self, choose: Choose) -> Iterator[Record | RowError | LeftOut]:
        """See `Reader.records`."""
        needs_label = _LABEL in choose([_PATH, _LABEL])
        images, others = self._find_files()
        if not images:
            raise DataError(
                f"{self.folder} holds no images ({', '.join(SUFFIXES)}); put those of each class "
                "into a sub-folder"
            )
        for number, path in enumerate(images, start=1):
            self._fraction = number / len(images)
            inside = path.relative_to(self.folder)
            if needs_label and len(inside.parts) < 2:
                yield RowError(
                    number, f"{inside} lies in no class folder; move it to {self.folder}/CLASS/"
                )
            else:
                yield Record(number, {_PATH: path, _LABEL: inside.parts[0]})
        yield from (LeftOut(reason) for reason in others)

    def _find_files(self) -> tuple[list[Path], list[str]]:
        """Return the images, sorted, and what else there is: reasons why it gives no row."""
        images: list[Path] = []
        others: list[str] = []
        visits: Counter[str] = Counter()

        def walk(folder: Path, parents: frozenset[str]) -> int:
            """Walk one folder; `parents` are the real paths of the folders around it."""
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                raise DataError(f"cannot read {folder}: {error.strerror}") from error
            found = 0
            for entry in entries:
                path = folder / entry.name
                inside = path.relative_to(self.folder)
                if entry.name.startswith("."):
                    continue
                if _is_folder(entry):
                    real = os.path.realpath(path)
                    visits[real] += 1
                    if real in parents or visits[real] > _MAX_LINKS or len(parents) > _MAX_DEPTH:
                        others.append(f"{inside} is a link in a circle, or nested too deep")
                        continue
                    found += walk(path, parents | {real})
                elif path.suffix.lower() in SUFFIXES:
                    images.append(path)
                    found += 1
                elif folder != self.folder:
                    others.append(f"{inside} is no image: its suffix is none of {_KNOWN}")
            if not found and folder.parent == self.folder:
                others.append(f"{folder.name} is a folder without images, so no class")
            return found

        walk(self.folder, frozenset([os.path.realpath(self.folder)]))
        return sorted(images), others


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False
