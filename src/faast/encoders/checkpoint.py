"""Checkpoints by name: on the hub, in its local cache or in a folder, pinned to one commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from faast._utils.imports import import_optional
from faast._utils.transformers_logging import quiet_transformers


class EncoderUnavailableError(OSError):
    """A checkpoint could not be found, reached or read."""


@dataclass(frozen=True)
class Checkpoint:
    """A name and a commit that decide the weights.

    Attributes
    ----------
    name : str
        Name on the Hugging Face hub, or path of a folder.
    revision : str or None
        Commit on the hub; None for a folder.
    trust_remote_code : bool
        Whether Python code that the checkpoint contains may run.
    allow_pickle : bool
        Whether weights that are pickled, which can run code, are read where there are none in
        safetensors.
    """

    name: str
    revision: str | None
    trust_remote_code: bool
    allow_pickle: bool = False

    @classmethod
    def resolve(
        cls,
        name: str,
        revision: str | None,
        trust_remote_code: bool,
        extra: str,
        allow_pickle: bool = False,
    ) -> Self:
        """Find the commit to which a branch or a tag points now.

        Parameters
        ----------
        name : str
            Name on the hub, or path of a folder.
        revision : str or None
            Branch, tag or commit; None is the default branch. A folder ignores it.
        trust_remote_code : bool
        extra : str
            The extra of this package that installs what is needed to reach the hub.
        allow_pickle : bool

        Raises
        ------
        EncoderUnavailableError
            If neither the hub nor its local cache knows the name or the revision.
        """
        if Path(name).is_dir():
            return cls(name, None, trust_remote_code, allow_pickle)
        hub = import_optional("huggingface_hub", extra)
        try:
            commit = hub.resolve_revision(
                name, revision=revision, local_files_only=hub.is_offline_mode()
            ).resolved
        except (OSError, ValueError, hub.errors.RevisionResolutionError) as error:
            raise EncoderUnavailableError(_explain(name, revision, error)) from error
        return cls(name, commit, trust_remote_code, allow_pickle)

    @property
    def weights_options(self) -> dict[str, Any]:
        """Options with which transformers reads weights in the formats that are allowed."""
        return {} if self.allow_pickle else {"use_safetensors": True}

    def load(self, factory: Callable[..., Any], **options: Any) -> Any:
        """Call `factory`, such as a ``from_pretrained``, for this commit, without any output.

        Parameters
        ----------
        factory : callable
            It is given the name, `revision`, `trust_remote_code` and the options.

        Returns
        -------
        What the factory returns.

        Raises
        ------
        EncoderUnavailableError
            If a file of the checkpoint is missing or unreadable.
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
            raise EncoderUnavailableError(_explain(self.name, self.revision, error)) from error


def _explain(name: str, revision: str | None, error: Exception) -> str:
    cause = str(error).strip().partition("\n")[0] or type(error).__name__
    if "safetensors" in cause:
        cause += (
            " (only weights in safetensors are read, because pickled weights can run code; "
            "allow_pickle=True reads these too)"
        )
    at = f" at revision {revision}" if revision else ""
    return (
        f"cannot load {name!r}{at}: {cause}. Check the name; without a network (or with "
        "HF_HUB_OFFLINE set) it must be in the hub's local cache, or be a folder"
    )
