"""Folders of images, one sub-folder a class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faast.data.images import SUFFIXES
from faast.data.reader import Choose, DataError, Fault, Record

COLUMNS = ("path", "label")


class ImageFolderReader:
    """Images in the order of their paths; the first folder below is the label.

    Parameters
    ----------
    folder : pathlib.Path
    """

    unit = "image"

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, str(folder)
        self.fraction: float | None = None

    def records(self, choose: Choose) -> Iterator[Record | Fault]:
        """See `Reader.records`."""
        labelled = COLUMNS[1] in choose(COLUMNS)
        images = sorted(
            path
            for path in self.folder.rglob("*")
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        )
        if not images:
            raise DataError(
                f"{self.folder} holds no images ({', '.join(SUFFIXES)}); expected one sub-folder "
                "a class"
            )
        for number, path in enumerate(images, start=1):
            self.fraction = number / len(images)
            inside = path.relative_to(self.folder)
            if labelled and len(inside.parts) < 2:
                yield Fault(
                    number, f"{inside} lies in no class folder; move it to {self.folder}/CLASS/"
                )
            else:
                yield Record(number, {"path": path, "label": inside.parts[0]})
