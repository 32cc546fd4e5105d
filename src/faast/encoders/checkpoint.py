"""Checkpoints by name: from the hub, its cache or a folder, pinned to one commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from faast._utils.imports import import_optional
from faast._utils.transformers_logging import quiet_transformers


class EncoderUnavailableError(OSError):
    """A checkpoint that could not be found, reached or read."""


@dataclass(frozen=True)
class Checkpoint:
    """Where weights come from.

    Attributes
    ----------
    name : str
        A hub name or a folder.
    revision : str or None
        The commit on the hub; None for a folder.
    trust_remote_code : bool
        Run Python code that the checkpoint brings along.
    """

    name: str
    revision: str | None
    trust_remote_code: bool

    @classmethod
    def resolve(cls, name: str, revision: str | None, trust_remote_code: bool, extra: str) -> Self:
        """Find the commit that a branch, a tag or the default branch now points to.

        Raises
        ------
        EncoderUnavailableError
            Neither the hub nor its cache knows the name or the revision.
        """
        if Path(name).is_dir():
            return cls(name, None, trust_remote_code)
        hub = import_optional("huggingface_hub", extra)
        try:
            commit = hub.resolve_revision(
                name, revision=revision, local_files_only=hub.is_offline_mode()
            ).resolved
        except (OSError, ValueError, hub.errors.RevisionResolutionError) as error:
            raise EncoderUnavailableError(_advice(name, revision, error)) from error
        return cls(name, commit, trust_remote_code)

    def load(self, factory: Callable[..., Any], **options: Any) -> Any:
        """Call a ``from_pretrained`` or a constructor for this very commit; it prints nothing.

        Raises
        ------
        EncoderUnavailableError
            A file is missing or unreadable.
        """
        try:
            with quiet_transformers("text"):
                return factory(
                    self.name,
                    revision=self.revision,
                    trust_remote_code=self.trust_remote_code,
                    **options,
                )
        except (OSError, ValueError) as error:
            raise EncoderUnavailableError(_advice(self.name, self.revision, error)) from error


def _advice(name: str, revision: str | None, error: Exception) -> str:
    cause = str(error).strip().partition("\n")[0] or type(error).__name__
    at = f" at revision {revision}" if revision else ""
    return (
        f"cannot load {name!r}{at}: {cause}. Check the name; without a network (or with "
        "HF_HUB_OFFLINE set) it must be in the hub cache already, or be a folder"
    )
