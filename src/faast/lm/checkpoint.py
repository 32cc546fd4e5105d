"""What a file of memories holds, with the backbone by name and fingerprint, and its checks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from faast.core.persistence import ModelFileError, content_hash
from faast.core.state import Array, State
from faast.lm.architecture import FINGERPRINT_SIZE, load_base
from faast.lm.backbone import Backbone
from faast.lm.config import MemoryConfig
from faast.lm.folders import resolve_source
from faast.lm.state import LARGEST_ENTRY

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

    from faast._utils.arrays import AnyArray
    from faast.lm.adapters import Adapters
    from faast.lm.folders import Source
    from faast.lm.memory import Memory

LONGEST_NAME = 4096
ROUNDING = 0.004
"""Largest relative difference of weights that bfloat16 and float32 hold."""
INCONSISTENT = (KeyError, IndexError, TypeError, ValueError, ArithmeticError, RuntimeError)
"""Errors that content which makes no sense may cause."""


@dataclass(frozen=True, repr=False)
class MemoryFile:
    """Content of the file of a language model's memories.

    Attributes
    ----------
    base : str
        Path or hub id of the backbone; empty if it was built in memory.
    fingerprint : list of float
        See `Backbone.fingerprint`.
    config : MemoryConfig
    memories : dict of str to State
        What each adapter has learned.
    readouts : dict of str to ndarray
        Parameters of the readouts.
    """

    base: str
    fingerprint: list[float]
    config: MemoryConfig
    memories: dict[str, State]
    readouts: dict[str, AnyArray]

    @property
    def nbytes(self) -> int:
        """Bytes of what was learned."""
        return sum(
            array.nbytes for state in self.memories.values() for array in state.tensors.values()
        )

    @property
    def state_hash(self) -> str:
        """Hash of what was learned, whatever its name; the log of a server tells states by it."""
        learned = (self.memories[name] for name in sorted(self.memories))
        return " ".join(content_hash(state.tensors, state.metadata) for state in learned)

    def to_state(self) -> State:
        """Return the content as a file holds it."""
        return State.join(
            {"memories": State.join(self.memories), "readouts": State(self.readouts, {})},
            names=sorted(self.memories),
            config=self.config.to_dict(),
            base=self.base,
            fingerprint=self.fingerprint,
        )

    @classmethod
    def from_state(cls, state: State) -> MemoryFile:
        """Return the content that `to_state` described.

        Raises
        ------
        KeyError, ValueError
            A field is missing, or does not have the form that `to_state` gives it. Whether the
            memories fit a backbone is checked before they are attached, see `restore`.
        """
        base, fingerprint = state.metadata["base"], state.metadata["fingerprint"]
        names, saved = state.metadata["names"], state.part("memories")
        if type(base) is not str or not base.isprintable() or len(base) > LONGEST_NAME:
            raise ValueError(f"base must be a path or hub id, got {base!r:.80}")
        if type(fingerprint) is not list or len(fingerprint) != FINGERPRINT_SIZE:
            raise ValueError(f"fingerprint must be a list of {FINGERPRINT_SIZE} numbers")
        if not all(type(value) is float and math.isfinite(value) for value in fingerprint):
            raise ValueError("fingerprint must hold finite numbers")
        if type(names) is not list or not all(type(name) is str and name for name in names):
            raise ValueError("names must be a list of texts")
        if names != sorted(set(names)) or type(saved.metadata) is not dict:
            raise ValueError("names must be different, and in order")
        content = cls(
            base,
            fingerprint,
            MemoryConfig.from_dict(state.metadata["config"]),
            {name: saved.part(name) for name in names},
            state.part("readouts").tensors,
        )
        check_same(content.to_state(), state)
        return content

    def __repr__(self) -> str:
        """Say what the file holds, and how to use it."""
        return (
            f"MemoryFile(base={self.base!r}, memories={sorted(self.memories)}, {self.config}): "
            "faast.lm.FaastForCausalLM.from_checkpoint(content) attaches them to their backbone"
        )

    def load_backbone(
        self, base: PreTrainedModel | Source | None, **loading: Any
    ) -> PreTrainedModel:
        """Return the backbone that the memories were learned with.

        Parameters
        ----------
        base : PreTrainedModel, path or hub id, optional
            By default the one that the file names.
        **loading
            Passed to ``AutoModelForCausalLM.from_pretrained``.

        Raises
        ------
        ModelFileError
            The file names no backbone, or the memories were learned with another one.
        FileNotFoundError
            The backbone's folder is gone.
        """
        if base is None and not self.base:
            raise ModelFileError(
                "the file of the memories names no backbone, since their model was built in "
                "memory; give base= (on the command line --base)"
            )
        if base is None:
            try:
                base = resolve_source(self.base, "a model")
            except FileNotFoundError as error:
                raise FileNotFoundError(
                    f"{error}; the memories were learned with it: put it back, or give base= "
                    "(on the command line --base)"
                ) from None
        loaded = load_base(base, **loading)
        check_backbone(Backbone.from_model(loaded), self.fingerprint, self.base)
        return loaded

    def check(self, backbone: Backbone, config: MemoryConfig) -> None:
        """Check that the memories were learned with this backbone and these settings.

        Raises
        ------
        ModelFileError
            They were not.
        """
        check_backbone(backbone, self.fingerprint, self.base)
        if config != self.config:
            raise ModelFileError(
                "the memories were saved with other settings than the model has; they differ in "
                f"{self.config.differences(config)}"
            )

    def restore(self, adapters: Adapters, readouts: nn.ModuleList) -> None:
        """Replace what a model of the same backbone and settings has learned.

        Raises
        ------
        ModelFileError
            The content is inconsistent, or does not fit the backbone.

        Notes
        -----
        After any error memories and readouts are as before.
        """
        memories, parameters = self.read_into(adapters, readouts)
        before = {name: tensor.clone() for name, tensor in readouts.state_dict().items()}
        try:
            readouts.load_state_dict(parameters)
            adapters.replace(memories)
        except BaseException:
            readouts.load_state_dict(before)
            raise

    def read_into(
        self, adapters: Adapters, readouts: nn.ModuleList
    ) -> tuple[dict[str, Memory], dict[str, Tensor]]:
        """Return memories and parameters of readouts as a model of these settings holds them.

        Raises
        ------
        ModelFileError
            The content is inconsistent, or does not fit the backbone.
        """
        try:
            parameters = self._read_readouts(readouts)
            memories = adapters.from_states(self.memories)
            states = {name: memory.to_state() for name, memory in memories.items()}
            check_same(State.join(states), State.join(self.memories))
        except INCONSISTENT as error:
            raise ModelFileError(f"the saved memories are inconsistent: {error}") from error
        return memories, parameters

    def _read_readouts(self, readouts: nn.ModuleList) -> dict[str, Tensor]:
        expected = readouts.state_dict()
        if self.readouts.keys() != expected.keys():
            raise ValueError(
                f"the readouts have the parameters {sorted(self.readouts)}, this model needs "
                f"{sorted(expected)}"
            )
        for name, array in self.readouts.items():
            Array(*expected[name].shape, dtypes=("float32",)).check(name, array, {})
            if array.size and np.abs(array).max() > LARGEST_ENTRY[torch.float32]:
                raise ValueError(f"{name} holds a number beyond {LARGEST_ENTRY[torch.float32]:g}")
        return {name: torch.from_numpy(array) for name, array in self.readouts.items()}


def check_same(understood: State, found: State) -> None:
    """Check that a file holds what was understood of it, and nothing else.

    Raises
    ------
    ValueError
        It holds other tensors or fields, or fields of other types.
    """
    if understood.tensors.keys() != found.tensors.keys():
        odd = sorted(understood.tensors.keys() ^ found.tensors.keys())
        raise ValueError(f"there are unknown tensors: {', '.join(odd[:3])}")
    if understood.metadata != found.metadata:
        raise ValueError("there are unknown fields, or fields of another type")


def content_of(
    backbone: Backbone, config: MemoryConfig, memories: dict[str, State], readouts: nn.ModuleList
) -> MemoryFile:
    """Return the content of a file of memories."""
    parameters = readouts.state_dict().items()
    return MemoryFile(
        backbone.name,
        backbone.fingerprint(),
        config,
        memories,
        {name: tensor.detach().float().cpu().numpy() for name, tensor in parameters},
    )


def check_backbone(backbone: Backbone, fingerprint: list[float], name: str) -> None:
    """Check that memories were learned with this backbone, in whatever precision.

    Parameters
    ----------
    backbone : Backbone
    fingerprint : list of float
        Of the backbone that they were learned with.
    name : str
        Path or hub id of that; empty if it was built in memory.

    Raises
    ------
    ModelFileError
        They were learned with another backbone.
    """
    ours, theirs = np.array(backbone.fingerprint()), np.array(fingerprint)
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=ROUNDING, atol=1e-6):
        raise ModelFileError(
            f"these memories were learned with {name or 'a model built in memory'}, and the "
            f"weights of {backbone.name or type(backbone.model).__name__} differ from those; give "
            "the model they were learned with (base=, or --base)"
        )
