"""FaastForCausalLM: a frozen language model that learns from examples in one forward pass."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import Tensor, nn

from faast.lm import checkpoint
from faast.lm.adapters import Adapters
from faast.lm.architecture import evenly_spaced_blocks, grid_scale, load_base
from faast.lm.backbone import Backbone
from faast.lm.batch import TokenBatch
from faast.lm.collecting import check_tokens, collect_hidden_states
from faast.lm.config import MemoryConfig
from faast.lm.exporting import ExportedModel
from faast.lm.hooks import Hooks
from faast.lm.inference_mode import outside_inference_mode
from faast.lm.layer_memory import Readout
from faast.lm.memory import Memory, hook_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from transformers import PreTrainedModel

    from faast.lm.folders import Source
    from faast.lm.recall_memory import Recalled


class FaastForCausalLM(ExportedModel):
    """A causal language model with memories attached in place; the model itself stays frozen.

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
        One for every layer memory; the only trained part.

    Raises
    ------
    UnsupportedModelError
        The model's parts cannot be found, or cannot carry such memories.

    Notes
    -----
    Until something is learned, logits are bitwise the model's own. `learn` adds to what the
    memories have learned; what reading needs beyond that (a decomposition, the rows of the last
    incomplete block) is computed once, before the next forward pass starts. A memory's state is
    replaced as a whole, so that an error leaves it as it was.
    """

    @outside_inference_mode
    def __init__(self, base: PreTrainedModel, config: MemoryConfig | None = None) -> None:
        super().__init__()
        config = MemoryConfig() if config is None else config
        backbone = Backbone.from_model(base)
        layers = evenly_spaced_blocks(len(backbone.architecture.blocks), config.middle_layers)
        if config.output == "natural":
            backbone.check_head()
        self._was_training = base.training
        self._frozen: list[nn.Parameter] = []
        self.memory_config = config
        readouts = [Readout(backbone.hidden_size, config.dropout) for _ in layers]
        self.readouts = nn.ModuleList(readouts).to(backbone.device, base.dtype)
        self._backbone = backbone
        self._layers = layers
        self._adapters = Adapters(self._empty_memory)
        self.base = base
        with ExitStack() as undo:  # after an error nothing is left in the model
            undo.callback(base.train, base.training)
            base.eval()  # type: ignore[no-untyped-call]
            self._hooks = Hooks(
                base,
                hook_points(config, layers),
                self._adapters.read,
                self._adapters.read_logits,
                self._adapters.begin_pass,
                self._adapters.end_pass,
                backbone.check_unchanged,
            )
            undo.callback(self._hooks.remove)
            probe = self._hooks.hidden_states({"input_ids": backbone.probe_tokens()})
            self._scales = {point: grid_scale(hidden[0]) for point, hidden in probe.items()}
            self._empty_memory()  # raises where the model cannot carry it
            self.train(False)
            undo.pop_all()

    @classmethod
    def from_base(
        cls, base: PreTrainedModel | Source, config: MemoryConfig | None = None, **loading: Any
    ) -> Self:
        """Attach memories to a loaded model, or load one by its path or hub id.

        Parameters
        ----------
        base : PreTrainedModel, str or path
        config : MemoryConfig, optional
        **loading
            Passed to ``AutoModelForCausalLM.from_pretrained``.
        """
        return cls(load_base(base, **loading), config)

    @outside_inference_mode
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
        input_ids : Tensor of shape (batch, length), int32 or int64
        attention_mask : Tensor of shape (batch, length), optional
            Non-zero on real tokens, 0 on padding. By default all tokens are real.
        answer_mask : Tensor of shape (batch, length), optional
            Non-zero on the tokens to learn to predict. By default all real tokens are learned.
        document_ids : Tensor of shape (batch, length), integer, optional
            Number of the document that each token belongs to, where a row holds several. By default
            every row holds one document.

        Raises
        ------
        TypeError, ValueError
            The model cannot take these tokens, no token is left to learn, or the model's hidden
            states hold NaN or inf.
        UnsupportedModelError
            The model cannot keep several documents in one row apart.
        """
        batch = TokenBatch(input_ids, attention_mask, answer_mask, document_ids)
        self._adapters.learn(collect_hidden_states(self._backbone, self._hooks, batch))
        return self

    @outside_inference_mode
    def forget(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        answer_mask: Tensor | None = None,
        document_ids: Tensor | None = None,
    ) -> Self:
        """Forget a batch that was learned, as if it never had been; parameters as for `learn`.

        Raises
        ------
        ForgettingError
            The memory is natural, or averages blocks: it cannot forget. Or it has not learned all
            of the batch, as far as it can tell.
        TypeError, ValueError, UnsupportedModelError
            As for `learn`.
        """
        batch = TokenBatch(input_ids, attention_mask, answer_mask, document_ids)
        self._adapters.forget(collect_hidden_states(self._backbone, self._hooks, batch))
        return self

    def reset(self) -> Self:
        """Forget everything that the adapters in use have learned."""
        self._adapters.reset()
        return self

    @outside_inference_mode
    def merge(self, other: FaastForCausalLM) -> Self:
        """Learn everything that another model's memories have learned, adapter by adapter.

        Raises
        ------
        ForgettingError
            The memories are natural, or average blocks: they cannot be merged.
        ValueError
            The other model has another backbone or other settings.
        """
        if other.memory_config != self.memory_config:
            raise ValueError(
                "memories of different settings cannot be merged; these differ in "
                f"{self.memory_config.differences(other.memory_config)}"
            )
        self._backbone.check_unchanged()
        theirs = other._backbone
        checkpoint.check_backbone(self._backbone, theirs.fingerprint(), theirs.name)
        self._adapters.merge(other._adapters)
        return self

    def solve(self) -> Self:
        """Compute now what reading the adapters in use needs, instead of before the next pass."""
        self._adapters.solve()
        return self

    @contextmanager
    def use_adapter(self, name: str | Sequence[str]) -> Iterator[Self]:
        """Learn, read and reset a named memory, in this thread, until the block ends.

        Parameters
        ----------
        name : str, or sequence of str
            One name, or one per row of the batches inside the block.
        """
        with self._adapters.use(name):
            yield self

    @property
    def adapters(self) -> list[str]:
        """Names of the memories that have learned something."""
        return self._adapters.names

    @property
    def memory_size(self) -> int:
        """Pairs that the adapters in use have learned."""
        return round(self._adapters.count)

    @property
    def memory_bytes(self) -> int:
        """Bytes that the adapters in use hold, to be read and to go on learning."""
        return self._adapters.nbytes

    @property
    @outside_inference_mode
    def online_perplexity(self) -> float:
        """Perplexity of learned tokens before they were learned, of the adapter in use.

        Each block of tokens is predicted before it is learned (prequential evaluation), from a
        sample of its rows and of a large vocabulary. NaN for memories other than natural ones, and
        until two pairs are learned.

        Raises
        ------
        ValueError
            Several adapters are in use.
        """
        return self._adapters.only.online_perplexity

    def forward(self, input_ids: Tensor | None = None, **inputs: Any) -> Any:
        """Run the model with its memories; parameters and returns are the model's own."""
        self._hooks.require_attached()
        if input_ids is not None:
            check_tokens(self._backbone, input_ids)
        return self.base(input_ids=input_ids, **inputs)

    def generate(self, inputs: Tensor | None = None, **kwargs: Any) -> Any:
        """Generate with the memories; parameters and returns are the model's own."""
        self._hooks.require_attached()
        prompt = kwargs.get("input_ids") if inputs is None else inputs
        if prompt is not None:
            check_tokens(self._backbone, prompt)
        return cast("Any", self.base).generate(inputs, **kwargs)

    @outside_inference_mode
    def recalled(self, input_ids: Tensor) -> list[Recalled]:
        """Return the learned passages that speak for the token after a prompt, strongest first.

        Parameters
        ----------
        input_ids : Tensor of shape (length,) or (1, length), integer

        Raises
        ------
        TypeError, ValueError
            These are not the tokens of one prompt, memories were attached with ``recall=False``,
            or several adapters are in use.
        """
        memory = self._adapters.only.recall
        if memory is None:
            raise ValueError(
                "these memories do not recall passages; attach them with MemoryConfig(recall=True)"
            )
        check_tokens(self._backbone, input_ids)
        if input_ids.numel() != input_ids.shape[-1] or not input_ids.numel():
            raise ValueError(
                f"expected the tokens of one prompt, got shape {tuple(input_ids.shape)}"
            )
        return memory.recalled(input_ids.reshape(-1).long().cpu().numpy())

    def detach(self) -> PreTrainedModel:
        """Remove the memories and return the plain model as it was.

        What was learned can still be saved; learning, calling and generating raise ValueError.
        """
        self._hooks.remove()
        self._thaw()
        return self.base.train(self._was_training)

    def train(self, mode: bool = True) -> Self:
        """Start or stop training the readouts; the backbone stays frozen and in eval mode.

        Raises
        ------
        ValueError
            The memories are exact: readouts are trained with the paper's block average.
        """
        if mode and self.memory_config.exact and self.readouts:
            raise ValueError(
                "readouts are trained with the paper's block average; use MemoryConfig.paper(...)"
            )
        super().train(mode)
        self.base.eval()  # type: ignore[no-untyped-call]
        if mode:  # not before: some kernels round differently where no gradient is asked for
            self._frozen += [weight for weight in self.base.parameters() if weight.requires_grad]
            self.base.requires_grad_(False)
        else:
            self._thaw()
        self._adapters.train(mode)
        return self

    @property
    def config(self) -> Any:
        """The model's own configuration."""
        return self.base.config

    @property
    def device(self) -> torch.device:
        """Where the model takes tokens."""
        return self._backbone.input_device

    @property
    def dtype(self) -> torch.dtype:
        """The model's data type."""
        return self.base.dtype

    def _thaw(self) -> None:
        """Let gradients reach the parameters of the backbone again."""
        for parameter in self._frozen:
            parameter.requires_grad_()
        self._frozen = []

    def _empty_memory(self) -> Memory:
        readouts = zip(self._layers, cast("Iterable[Readout]", self.readouts), strict=True)
        empty = Memory.empty(self._backbone, self.memory_config, dict(readouts), self._scales)
        return empty.train(self.training)
