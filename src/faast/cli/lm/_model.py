"""Open the language model that a command names, with its memories and its tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from faast._utils.imports import import_optional
from faast._utils.names import check_name
from faast._utils.transformers_logging import silence_transformers
from faast.cli.lm._options import RUNTIME, Runtime
from faast.cli.lm._served import log_path, require_written, tell_outdated
from faast.core.locking import exclusive

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from faast.lm import FaastForCausalLM, MemoryConfig


class LoadedModel(NamedTuple):
    """A language model with memories, and its tokenizer."""

    model: FaastForCausalLM
    tokenizer: PreTrainedTokenizerBase

    def window_length(self, requested: int | None) -> int:
        """Return the number of tokens per window: as requested, or the default that fits.

        Raises
        ------
        ValueError
            If the requested window is longer than the model can read.
        """
        from faast.lm.architecture import longest_sequence
        from faast.lm.documents import WINDOW

        limit = longest_sequence(self.model.config)
        if limit is not None and requested is not None and requested > limit:
            raise ValueError(
                f"a window of {requested} tokens is too long: the model has {limit} positions; "
                "choose a shorter --window"
            )
        return requested or min(WINDOW, limit or WINDOW)


def load_model(
    name: str,
    base: str | None,
    runtime: Runtime = RUNTIME,
    config: MemoryConfig | None = None,
) -> LoadedModel:
    """Load a model, or a memory together with the model it was learned with.

    Parameters
    ----------
    name : str
        Name, folder or GGUF file of a model, or folder of a memory.
    base : str, optional
        The model of a memory, if it has moved since the memory was learned.
    runtime : Runtime, optional
    config : MemoryConfig, optional
        Settings of the new memory of a plain model.

    Raises
    ------
    FileNotFoundError
        If `name` is the path of a folder that does not exist.
    ImportError
        If transformers is not installed.
    ValueError
        If `config` is given for a memory, which has its own settings, `base` for a plain model, or
        if the device cannot be used.
    """
    silence_transformers("lm")
    from faast.lm import FaastForCausalLM
    from faast.lm.folders import resolve_source
    from faast.lm.memory_folder import holds_memories

    require_written(name)
    source = resolve_source(name)
    validate_device(runtime.device)
    loading = {"dtype": runtime.dtype.value, "device_map": runtime.device}
    if not holds_memories(source):
        if base is not None:
            raise ValueError(
                f"{name} is a model, not a memory, so that --base has no meaning; leave it out"
            )
        model = FaastForCausalLM.from_base(source, config, **loading)
    elif config is not None:
        raise ValueError(
            f"{name} is a memory with settings of its own; leave --memory and --recall out"
        )
    else:
        tell_outdated(name)
        model = FaastForCausalLM.from_pretrained(source, base, **loading)
    return LoadedModel(model, load_tokenizer(model.base))


def load_tokenizer(base: PreTrainedModel) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model from where the model was loaded."""
    from faast.lm.gguf import transformers_arguments

    transformers = import_optional("transformers", "lm")
    tokenizer: PreTrainedTokenizerBase = transformers.AutoTokenizer.from_pretrained(
        **transformers_arguments(base.name_or_path or "")
    )
    return tokenizer


def check_memory_output(output: Path) -> None:
    """Check, before the work begins, that a memory can be written to a folder.

    Raises
    ------
    OSError
        It holds something that would be overwritten, or cannot be written to.
    ValueError
        A memory of this name could not be served.
    """
    silence_transformers("lm")
    from faast.lm.folders import check_memory_folder

    check_memory_folder(output)
    check_name(output.resolve().name, "memory")


def check_new_folder(output: str | Path) -> None:
    """Check, before the work begins, that a folder is new or empty, and can be written to.

    Raises
    ------
    OSError
        It holds something, or cannot be written to.
    """
    silence_transformers("lm")
    from faast.lm.folders import check_empty_folder

    check_empty_folder(output)


def require_memory(name: str) -> Path:
    """Return the folder of a memory that a command names.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        It holds no memory.
    """
    require_written(name)
    folder = Path(name)
    if not name or not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {name}; name the folder of a memory")
    if not is_memory(folder):
        raise ValueError(f"{name} holds no memory; name a folder that 'faast lm learn' wrote")
    return folder


def is_memory(folder: str | Path) -> bool:
    """Return whether a folder holds a memory."""
    silence_transformers("lm")
    from faast.lm.memory_folder import holds_memories

    return holds_memories(folder)


def tell_replaced(output: Path, *read: str) -> None:
    """Say that a memory is about to be replaced which is none of those that were read."""
    others = [name for name in read if Path(name).resolve() == output.resolve()]
    if not others and is_memory(output):
        typer.echo(f"{output} held another memory, which this one replaces.", err=True)


@contextmanager
def hold_memory(folder: Path) -> Iterator[None]:
    """Let no other command change a memory meanwhile; wait for one that does.

    Raises
    ------
    ValueError
        A server serves the memory, or has taught it.
    """
    from faast.lm.folders import SERVED

    def refuse() -> None:
        raise ValueError(
            f"a server that runs serves the memories of {folder.parent}; teach {folder.name} over "
            "HTTP, or stop the server first"
        )

    def tell() -> None:
        typer.echo(f"waiting for another process that is changing {folder}", err=True)

    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with exclusive(folder, tell):  # which a server takes when it opens the memory
        with exclusive(folder.parent / SERVED, refuse):
            pass
        if (log := log_path(folder)).exists():
            raise ValueError(
                f"a server has taught this memory, and {log.name} would no longer fit it; teach it "
                "over HTTP, or write into another folder"
            )
        yield


def validate_device(name: str) -> None:
    """Raise `ValueError` if a torch device does not exist or cannot be used."""
    import torch

    try:
        torch.empty(0, device=name)
    # RuntimeError: unknown name, no driver or no operators. AssertionError: built without CUDA.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"the device {name!r} cannot be used: {reason}") from error
