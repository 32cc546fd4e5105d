"""The base of all encoders that run a pretrained torch model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar, Self

from faast._utils.imports import import_optional
from faast.encoders.base import Encoder
from faast.encoders.checkpoint import Checkpoint
from faast.encoders.registry import load_encoder
from faast.encoders.torch_utils import pick_device


class CheckpointEncoder(Encoder):
    """An encoder with the weights of a checkpoint; `from_pretrained` finds one by name.

    Parameters
    ----------
    checkpoint : Checkpoint
    device : str, optional
        Torch device. By default the first accelerator, or the CPU if there is none.
    dtype : {"float32", "float16", "bfloat16"}
        Number type of weights and activations.
    name : str, optional
        The name that `load_encoder` takes. By default the prefix and the checkpoint's name.

    Attributes
    ----------
    checkpoint : Checkpoint
    dtype : str

    Notes
    -----
    A pickle holds the settings and the fingerprint, but no weights: unpickling loads the
    checkpoint. A process keeps the encoder that it unpickled last, so that a worker which is sent
    many tasks loads it once.
    """

    prefix: ClassVar[str]
    """What stands before the colon in names."""

    extra: ClassVar[str]
    """The extra of faast that installs the packages."""

    packages: ClassVar[tuple[str, ...]]
    """The packages that the encoder needs."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str | None = None,
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        self.name = name or f"{self.prefix}:{checkpoint.name}"
        self.checkpoint, self.dtype = checkpoint, dtype
        self._said_cut = False
        self._torch = import_optional("torch", self.extra)
        self._requested_device = device
        self._device = pick_device(self._torch, device)

    @classmethod
    def from_pretrained(
        cls,
        checkpoint: str,
        *,
        revision: str | None = None,
        trust_remote_code: bool = False,
        allow_pickle: bool = False,
        **options: Any,
    ) -> Self:
        """Load a checkpoint by name.

        Parameters
        ----------
        checkpoint : str
            Name on the Hugging Face hub, or path of a folder.
        revision : str, optional
            Branch, tag or commit. `settings` pins the commit to which it points now.
        trust_remote_code : bool
            Run Python code that the checkpoint contains.
        allow_pickle : bool
            Read pickled weights, which can run code, where the checkpoint has none in safetensors.
        **options
            Arguments of the class.

        Raises
        ------
        ImportError
            If a package is missing; the message says what to install.
        EncoderUnavailableError
            If the checkpoint cannot be found, reached or read.
        ValueError
            If the checkpoint does not hold a complete model of the right kind, or an option has a
            value that is not allowed.
        """
        cls.check_packages()
        found = Checkpoint.resolve(checkpoint, revision, trust_remote_code, cls.extra, allow_pickle)
        return cls(found, **options)

    @classmethod
    def check_packages(cls) -> None:
        """Import the packages that the encoder needs.

        Raises
        ------
        ImportError
            If one is missing; the message says what to install.
        """
        for package in cls.packages:
            import_optional(package, cls.extra)

    def report_cut(self, texts: Sequence[str], tokenizer: Any, length: int | None) -> None:
        """Warn, once for this encoder, if texts have more tokens than are read.

        Parameters
        ----------
        texts : sequence of str
        tokenizer : transformers tokenizer
        length : int or None
            Most tokens of a text that are read.
        """
        if self._said_cut or length is None:
            return
        # A token is at least one byte, so that short texts need not be cut into tokens twice.
        long = [text for text in texts if len(text.encode("utf-8", "replace")) > length - 8]
        tokens = tokenizer(long, truncation=False, verbose=False)["input_ids"] if long else []
        cut = sum(len(ids) > length for ids in tokens)
        if cut:
            self._said_cut = True
            warnings.warn(
                f"{cut:,} of {len(texts):,} texts have more than the {length:,} tokens that "
                f"{self.name} reads, and the rest of them is ignored; split long texts, or use an "
                "encoder that reads more (said once for this encoder)",
                UserWarning,
                stacklevel=4,
            )

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return {"name": self.name, "revision": self.checkpoint.revision, "dtype": self.dtype}

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        arguments = self.settings | {
            "device": self._requested_device,
            "trust_remote_code": self.checkpoint.trust_remote_code,
            "allow_pickle": self.checkpoint.allow_pickle,
            "fingerprint": self.fingerprint,
        }
        return _unpickle, tuple(arguments.items())


@lru_cache(maxsize=1)
def _unpickle(*arguments: tuple[str, Any]) -> Encoder:
    return load_encoder(**dict(arguments))
