"""The memories of a folder, by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from faast.lm import checkpoint
from faast.lm.folders import MEMORY_FILE
from faast.serve.memories.attached import AttachedMemories
from faast.serve.problems import RequestError

if TYPE_CHECKING:
    from faast.serve.memories.backbone import ServedBackbone

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
"""Names of memories: no dots or slashes, so that a name is never a path."""


class MemoryFolder:
    """All memories of a folder, over one backbone.

    Parameters
    ----------
    path : Path
        Created if it is missing. Every folder in it that holds a memory is served by its name.
    backbone : ServedBackbone

    Attributes
    ----------
    attached : AttachedMemories
    unserved : dict of str to str
        Why folders are not served, by their name.
    """

    def __init__(self, path: Path, backbone: ServedBackbone) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.backbone = backbone
        self.attached = AttachedMemories(backbone.model)
        self.unserved: dict[str, str] = {}
        for folder in sorted(file.parent for file in path.glob(f"*/{MEMORY_FILE}")):
            try:
                self._require_name(folder.name)
                self.attached.attach(folder.name, checkpoint.read(folder))
            except (OSError, ValueError, ImportError) as error:
                self.unserved[folder.name] = str(error).replace(str(path), "the folder")

    def require(self, name: str) -> str:
        """Return the name of a memory; raises a RequestError if there is none."""
        if name not in self.attached:
            why = self.unserved.get(name)
            raise RequestError(404, f"there is no memory {name!r}" + (f": {why}" if why else ""))
        return name

    def find(self, model: str) -> str | None:
        """Return the memory that a request names as its model; None for the backbone alone.

        Raises
        ------
        RequestError
            There is neither.
        """
        if model == self.backbone.id:
            return None
        if model not in self.attached:
            raise RequestError(
                404,
                f"there is no model {model!r}; GET /v1/models lists the memories and the backbone",
                param="model",
                code="model_not_found",
            )
        return model

    def _require_name(self, name: str) -> None:
        if not re.fullmatch(NAME_PATTERN, name):
            raise ValueError("a memory is named in letters, digits, - and _, up to 64")
        if name == self.backbone.id:
            raise ValueError("the backbone has this name; rename the memory")
