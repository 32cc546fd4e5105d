"""FaastForCausalLM: a frozen language model that learns from examples in one forward pass."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import Tensor, nn

from faast.lm import checkpoint as storage
from faast.lm.adapters import as_names, select, selected
from faast.lm.architecture import Backbone, grid_scale, middle_places
from faast.lm.batch import gathered, require_tokens
from faast.lm.config import MemoryConfig
from faast.lm.hooks import Attachment, Place
from faast.lm.layer_memory import Readout
from faast.lm.memory import NamedMemory, averaging, places, read_by_row
from faast.lm.merging import fold
from faast.lm.natural_memory import NaturalOutput

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from transformers import PreTrainedModel

    from faast.lm.batch import Lesson


class FaastForCausalLM(nn.Module):
    """Memories attached in place to a causal language model, which stays frozen.

    Parameters
    ----------
    base : PreTrainedModel
        Any decoder of transformers. Called directly, it reads the memories too.
    config : MemoryConfig, optional

    Attributes
    ----------
    base : PreTrainedModel
    memory_config : MemoryConfig
    readouts : ModuleList of Readout
        One a middle memory; the only trained part.

    Raises
    ------
    UnsupportedModelError
        The model's parts cannot be found or cannot carry such memories.

    Notes
    -----
    Until something is learned, logits are bitwise the model's own. Learning replaces a memory's
    state as a whole: after an error it is as before the call.
    """

    def __init__(self, base: PreTrainedModel, config: MemoryConfig | None = None) -> None:
        super().__init__()
        config = MemoryConfig() if config is None else config
        backbone = Backbone.of(base)
        middle = middle_places(len(backbone.anatomy.blocks), config.middle_layers)
        if config.output == "natural":
            backbone.require_known_head()
        self._was_training = base.training
        self._frozen: list[nn.Parameter] = []
        self.base = base.eval()  # type: ignore[no-untyped-call]
        self.memory_config = config
        self.readouts = nn.ModuleList(
            Readout(backbone.hidden_size, config.dropout) for _ in middle
        ).to(backbone.device, base.dtype)
        self._backbone = backbone
        self._middle = middle
        self._memories: dict[str, NamedMemory] = {}
        self._attachment = Attachment(backbone.anatomy, places(config, middle), self._read)
        probe = self._attachment.hidden_states(base, {"input_ids": backbone.probe_tokens()})
        self._scales = {place: grid_scale(hidden[0]) for place, hidden in probe.items()}
        self.train(False)

    @classmethod
    def from_base(
        cls,
        base: PreTrainedModel | str | os.PathLike[str],
        config: MemoryConfig | None = None,
        **loading: Any,
    ) -> Self:
        """Attach memories to a loaded model, or load one by its id or path.

        Parameters
        ----------
        base : PreTrainedModel, str or path
        config : MemoryConfig, optional
        **loading
            Passed to ``AutoModelForCausalLM.from_pretrained``.
        """
        return cls(storage.load_base(base, **loading), config)

    # -- learning --------------------------------------------------------------------------------

    def learn(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        answer_mask: Tensor | None = None,
        document_ids: Tensor | None = None,
    ) -> Self:
        """Learn the next tokens of a batch in one forward pass.

        Parameters
        ----------
        input_ids : Tensor of shape (batch, length), integer
        attention_mask : Tensor of shape (batch, length), optional
            Non-zero where a token is real.
        answer_mask : Tensor of shape (batch, length), optional
            Non-zero on the tokens to learn to say; all real ones by default.
        document_ids : Tensor of shape (batch, length), integer, optional
            Where rows hold several documents: which of them each token belongs to. Documents
            neither see nor teach each other.

        Raises
        ------
        TypeError, ValueError
            Tokens the model cannot take, nothing to learn, or NaN in the model's hidden states.
        UnsupportedModelError
            The model cannot keep documents of one row apart.
        """
        lessons = self._lessons(input_ids, attention_mask, answer_mask, document_ids)
        changed = {name: self._memory(name).learned(lesson) for name, lesson in lessons.items()}
        self._memories.update(changed)
        return self

    def forget(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        answer_mask: Tensor | None = None,
        document_ids: Tensor | None = None,
    ) -> Self:
        """Forget a batch that was learned; parameters as for `learn`.

        Raises
        ------
        ForgettingError
            The memory cannot forget: natural, or averaged by blocks.
        """
        lessons = self._lessons(input_ids, attention_mask, answer_mask, document_ids)
        changed = {name: self._memory(name).forgotten(lesson) for name, lesson in lessons.items()}
        self._memories.update(changed)
        return self

    def reset(self) -> Self:
        """Forget everything that the selected memories learned."""
        for name in selected(self):
            self._memories.pop(name, None)
        return self

    def merge(self, other: FaastForCausalLM) -> Self:
        """Learn everything that another model's memories learned, name by name.

        Raises
        ------
        ForgettingError
            The memories cannot be merged.
        ValueError
            Another backbone or other settings.
        """
        if other.memory_config != self.memory_config:
            raise ValueError(
                f"only memories of the same settings merge: {self.memory_config} and "
                f"{other.memory_config}"
            )
        storage.require_backbone(self._backbone, other._backbone.fingerprint())
        changed = {
            name: self._memory(name).merged(memory) for name, memory in other._memories.items()
        }
        self._memories.update(changed)
        return self

    # -- what has been learned -------------------------------------------------------------------

    @contextmanager
    def memory(self, name: str | Sequence[str]) -> Iterator[Self]:
        """Learn, read and reset a named memory, in this thread, until the block ends.

        Parameters
        ----------
        name : str, or sequence of str
            One memory, or one for every row of the batches inside.
        """
        with select(self, as_names(name)):
            yield self

    @property
    def names(self) -> list[str]:
        """Memories that have learned something."""
        return sorted(self._memories)

    @property
    def memory_size(self) -> int:
        """Pairs that the selected memories have learned."""
        return round(sum(self._memory(name).count for name in set(selected(self))))

    @property
    def memory_bytes(self) -> int:
        """Bytes that all memories hold, learning state included."""
        return sum(memory.nbytes for memory in self._memories.values())

    @property
    def online_perplexity(self) -> float:
        """Perplexity of learned tokens at the time before they were learned.

        An honest estimate, from a sample of each block, that costs no test set; NaN before a second
        block, and for memories other than natural ones.
        """
        output = self._memory(selected(self)[0]).output
        return output.finished.online_perplexity if isinstance(output, NaturalOutput) else torch.nan

    # -- reading ---------------------------------------------------------------------------------

    def forward(self, input_ids: Tensor | None = None, **inputs: Any) -> Any:
        """Run the model with its memories; parameters and returns are the model's own."""
        if input_ids is not None:
            require_tokens(self._backbone, input_ids)
        return self.base(input_ids=input_ids, **inputs)

    def generate(self, inputs: Tensor | None = None, **kwargs: Any) -> Any:
        """Generate with the memories; parameters and returns are the model's own."""
        prompt = kwargs.get("input_ids") if inputs is None else inputs
        if prompt is not None:
            require_tokens(self._backbone, prompt)
        generator: Any = self.base
        return generator.generate(inputs, **kwargs)

    def fold(self) -> PreTrainedModel:
        """Return an independent plain model with the selected memory merged into its head.

        Raises
        ------
        FoldingError
            The memory is no linear map of what feeds the head.
        """
        names = selected(self)
        if len(names) != 1:
            raise ValueError(f"only one memory folds into a model, {len(names)} are selected")
        return fold(self._backbone, self._memory(names[0]))

    def detach(self) -> PreTrainedModel:
        """Take the memories off and return the plain model, without a trace of them."""
        self._attachment.detach()
        self._thaw()
        plain: PreTrainedModel = self.base.train(self._was_training)
        return plain

    # -- files -----------------------------------------------------------------------------------

    def save_pretrained(self, directory: str | os.PathLike[str]) -> None:
        """Write memories, readouts and settings; the backbone is kept by name only."""
        storage.save(self, directory)

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        base: PreTrainedModel | str | os.PathLike[str] | None = None,
        **loading: Any,
    ) -> Self:
        """Load what `save_pretrained` wrote, or a checkpoint in the published FAAST layout.

        Parameters
        ----------
        source : path or hub id
        base : PreTrainedModel, str or path, optional
            The backbone, where it is not the one that the file names.
        **loading
            Passed to ``AutoModelForCausalLM.from_pretrained``.

        Raises
        ------
        ModelFileError
            Damaged, foreign, or learned with another backbone.
        """
        return storage.load(cls, source, base, **loading)

    # -- as a module -----------------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Train or stop training the readouts; the backbone stays frozen and in eval mode.

        Raises
        ------
        ValueError
            The memories are exact: readouts are trained in paper mode.
        """
        if mode and self.memory_config.exact and self.readouts:
            raise ValueError(
                "readouts are trained with the paper's bank; use MemoryConfig.paper(...) for it"
            )
        super().train(mode)
        self.base.eval()
        if mode:  # not before: some kernels round differently where no gradient is asked for
            self._frozen += [weight for weight in self.base.parameters() if weight.requires_grad]
            self.base.requires_grad_(False)
        else:
            self._thaw()
        average = averaging(self.memory_config, training=mode)
        self._memories = {
            name: memory.averaged_by(average) for name, memory in self._memories.items()
        }
        return self

    @property
    def config(self) -> Any:
        """The model's own configuration."""
        return self.base.config

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self.base.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """The model's data type."""
        dtype: torch.dtype = self.base.dtype
        return dtype

    def _thaw(self) -> None:
        for parameter in self._frozen:
            parameter.requires_grad_()
        self._frozen = []

    def _memory(self, name: str) -> NamedMemory:
        known = self._memories.get(name)
        if known is not None:
            return known
        readouts: dict[Place, Readout] = dict(
            zip(self._middle, cast("Iterable[Readout]", self.readouts), strict=True)
        )
        fresh = NamedMemory.empty(self._backbone, self.memory_config, readouts, self._scales)
        return fresh.averaged_by(averaging(self.memory_config, training=self.training))

    def _lessons(self, input_ids: Tensor, *masks: Tensor | None) -> dict[str, Lesson]:
        lesson = gathered(self._backbone, self._attachment, input_ids, *masks)
        return lesson.by_name(selected(self))

    def _read(self, place: Place, hidden: Tensor) -> Tensor:
        return read_by_row(self._memories, selected(self), place, hidden)
