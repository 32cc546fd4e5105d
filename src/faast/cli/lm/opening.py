"""A language model with its memories and its tokenizer, by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from faast.cli.lm.options import RUNNING, Running
from faast.optional import require

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from faast.lm import FaastForCausalLM, MemoryConfig

LONGEST_WINDOW = 1024


class Opened(NamedTuple):
    """A model that is ready to learn and to be asked."""

    model: FaastForCausalLM
    tokenizer: PreTrainedTokenizerBase

    def window(self, asked: int | None) -> int:
        """Return the length of windows.

        Raises
        ------
        ValueError
            Longer than the model's positions.
        """
        from faast.lm.anatomy import longest_sequence

        limit = longest_sequence(self.model.config) or LONGEST_WINDOW
        if asked is not None and asked > limit:
            raise ValueError(f"a window of {asked} tokens; the model has {limit} positions")
        return asked or min(LONGEST_WINDOW, limit)


def open_model(name: str, running: Running = RUNNING, config: MemoryConfig | None = None) -> Opened:
    """Load a model, or a memory and the model that it was learned with.

    Parameters
    ----------
    name : str
        Name or folder of a model, or folder of a memory.
    running : Running, optional
    config : MemoryConfig, optional
        Of a model that has learned nothing.

    Raises
    ------
    FileNotFoundError
        A path that is no folder.
    ValueError
        A memory has settings of its own, or the device is not there.
    """
    if not Path(name).is_dir() and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise FileNotFoundError(f"there is no folder {name} of a model or a memory")
    transformers = require("transformers", "lm")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    from faast.lm import FaastForCausalLM
    from faast.lm.storage import holds_memories

    loading = {"dtype": running.dtype.value, "device_map": checked_device(running.device)}
    if not holds_memories(name):
        model = FaastForCausalLM.from_base(name, config, **loading)
    elif config is not None:
        raise ValueError(f"{name} is a memory with settings of its own; leave --memory out")
    else:
        model = FaastForCausalLM.from_pretrained(name, **loading)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model.base.name_or_path)
    return Opened(model, tokenizer)


def checked_device(name: str) -> str:
    """Return the name of a device that is there; raises `ValueError` otherwise."""
    import torch

    try:
        torch.empty(0, device=name)
    # unknown or without a driver; a build without it (CUDA asserts); a backend that lacks operators
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"the device {name!r} cannot be used: {reason}") from error
    return name
