"""Folders of images, with one sub-folder per class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from faast.data.images import SUFFIXES
from faast.data.reader import Choose, DataError, Modality, Reader, Record, RowError

_PATH, _LABEL = "path", "label"


class ImageFolderReader(Reader):
    """Read images in the order of their paths; the sub-folder of an image is its label.

    Images may lie deeper: the outermost sub-folder counts. Hidden files are left out.

    Parameters
    ----------
    folder : pathlib.Path
    """

    unit: ClassVar[str] = "image"
    modality: ClassVar[Modality | None] = "image"

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder

    def records(self, choose: Choose) -> Iterator[Record | RowError]:
        """See `Reader.records`."""
        needs_label = _LABEL in choose([_PATH, _LABEL])
        images = sorted(
            path
            for path in self.folder.rglob("*")
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        )
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
