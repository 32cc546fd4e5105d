"""Backbone: the frozen model as memories see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from faast.lm.architecture import (
    FINGERPRINT_SIZE,
    PROBE_TOKENS,
    Architecture,
    common_vocabulary,
    find_architecture,
)
from faast.lm.exceptions import UnsupportedModelError
from faast.lm.folders import resolve_source
from faast.lm.hooks import logits_as_given
from faast.lm.lm_head import LMHead
from faast.lm.offloading import computing_device, fetch_parameter
from faast.lm.requirements import check_adapters, check_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FINGERPRINTED = 32
"""At least so many matrices of the blocks, if there are as many, are in a fingerprint, and as many
vectors."""

CHANGE_FIRST = "detach(), change the model first, then attach memories and learn again"


def check_targets(targets: Tensor, backbone: Backbone) -> None:
    """Raise ValueError where tokens to predict are outside what the model predicts."""
    last = backbone.architecture.vocabulary - 1
    if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) <= last:
        raise ValueError(
            f"the model predicts tokens 0..{last}, and the tokens to learn are in "
            f"{int(targets.min())}..{int(targets.max())}; leave others out with answer_mask"
        )


class Link(NamedTuple):
    """A module and its place in the one that holds it."""

    parent: nn.Module
    name: str
    child: nn.Module

    @property
    def holds(self) -> bool:
        """Whether the module is still there."""
        return self.parent._modules.get(self.name) is self.child


@dataclass(frozen=True)
class Backbone:
    """A frozen causal language model.

    Attributes
    ----------
    model : PreTrainedModel
    architecture : Architecture
    head : LMHead
        The model's head in closed form.
    name : str
        Absolute path of the folder or GGUF file, or hub id, that the model was loaded by; empty
        where it was built in memory.
    blocks : tuple of Module
        The decoder's blocks as they were when memories were attached.
    links : tuple of Link
        The ways from the model to its parts, likewise.
    """

    model: PreTrainedModel
    architecture: Architecture
    head: LMHead
    name: str
    blocks: tuple[nn.Module, ...]
    links: tuple[Link, ...]

    @classmethod
    def from_model(cls, model: PreTrainedModel) -> Backbone:
        """Find the parts of a loaded model; raises `UnsupportedModelError`."""
        check_model(model)
        architecture = find_architecture(model)
        name = model.name_or_path or ""
        if name and Path(name).exists():
            name = resolve_source(name)
        head = LMHead.from_model(model, architecture.head)
        blocks = tuple(architecture.blocks)
        norm = architecture.final_norm
        parts = (architecture.head, architecture.embeddings, *blocks, *([norm] if norm else []))
        return cls(model, architecture, head, name, blocks, tuple(_find_links(model, parts)))

    @property
    def hidden_size(self) -> int:
        """Width d of the hidden states between the blocks."""
        return self.architecture.hidden_size

    @property
    def device(self) -> torch.device:
        """Device on which the head computes."""
        return computing_device(self.architecture.head)

    @property
    def input_device(self) -> torch.device:
        """Device that tokens have to be on."""
        return computing_device(self.architecture.embeddings)

    @property
    def foldable_bias(self) -> nn.Parameter | None:
        """Bias of the plain model that can absorb a shift of the head's input.

        It is the head's own, else that of a LayerNorm right in front of the head; None where the
        architecture has neither (RMSNorm).
        """
        bias = getattr(self.architecture.head, "bias", None)
        if bias is None and isinstance(self.architecture.final_norm, nn.LayerNorm):
            width = self.head.width
            bias = self.architecture.final_norm.bias if width == self.hidden_size else None
        return bias

    @property
    def head_name(self) -> str:
        """Name of the head among the model's modules, such as ``lm_head``."""
        head = self.architecture.head
        return next(name for name, module in self.model.named_modules() if module is head)

    def embed(self, tokens: Tensor) -> Tensor:
        """Return the input embeddings of tokens (n,): shape (n, d), the paper's output values.

        Raises
        ------
        UnsupportedModelError
            Input embeddings and hidden states differ in width.
        """
        values: Tensor = self.architecture.embeddings(tokens.to(self.input_device))
        if values.shape[-1] != self.hidden_size:
            raise UnsupportedModelError(
                f"input embeddings have width {values.shape[-1]}, hidden states {self.hidden_size};"
                ' an output pseudo-inverse needs the same width, use output="natural"'
            )
        return values.detach()

    def normalize(self, hidden: Tensor) -> Tensor:
        """Apply the final norm to hidden states behind the last block: the input of the head."""
        norm = self.architecture.final_norm
        return hidden if norm is None else norm(hidden)

    def check_final_norm(self, last: Tensor, head_input: Tensor) -> None:
        """Check that `normalize` is all that the model does between last block and head.

        Parameters
        ----------
        last, head_input : Tensor of shape (batch, length, d)
            Hidden states of the same tokens behind the last block and in front of the head.

        Raises
        ------
        UnsupportedModelError
            The model does something else.
        """
        with torch.no_grad():
            ours = self.normalize(last)
        if ours.shape != head_input.shape or not torch.allclose(
            ours, head_input, rtol=1e-2, atol=1e-3
        ):
            raise UnsupportedModelError(
                "between its last block and its head the model does more than one norm, so the "
                "settings of the pseudo-inverse cannot be chosen on validation pairs; give "
                "MemoryConfig both alpha and interpolation"
            )

    def check_unchanged(self) -> None:
        """Check that the model still has the modules that it had when memories were attached.

        Raises
        ------
        UnsupportedModelError
            Some were replaced, and with them the hooks; its vocabulary has changed, as
            `resize_token_embeddings` does; or adapters were put into it.
        """
        check_adapters(self.model)
        parts = self.architecture
        if not (all(link.holds for link in self.links) and tuple(parts.blocks) == self.blocks):
            raise UnsupportedModelError(
                "parts of the model were replaced after memories were attached, so that the "
                f"memories would not be read: {CHANGE_FIRST}"
            )
        vocabulary = common_vocabulary(parts.embeddings, parts.head)
        if vocabulary != parts.vocabulary:
            raise UnsupportedModelError(
                f"the model had {parts.vocabulary} tokens when memories were attached, now it has "
                f"{vocabulary}: {CHANGE_FIRST}"
            )

    def check_head(self) -> None:
        """Check that the closed form of the head gives the logits that the model gives.

        Raises
        ------
        UnsupportedModelError
            The model does something else to its logits.
        """
        seen: list[Tensor] = []
        handle = self.architecture.head.register_forward_pre_hook(
            lambda _module, args: seen.append(args[0].detach())
        )
        try:
            with torch.no_grad(), logits_as_given():
                token = torch.zeros(1, 1, dtype=torch.long, device=self.input_device)
                logits = self.model(input_ids=token, use_cache=False).logits
        finally:
            handle.remove()
        self.head.check(seen[0][0], logits[0])

    def probe_tokens(self) -> Tensor:
        """Return one short sequence of tokens, spread over the vocabulary: shape (1, n)."""
        n_tokens = min(PROBE_TOKENS, self.architecture.n_positions or PROBE_TOKENS)
        last, device = len(self.architecture.embeddings.weight) - 1, self.input_device
        return torch.linspace(0, last, n_tokens, device=device).long()[None]

    def fingerprint(self) -> list[float]:
        """Sample weights of the embeddings and of all blocks, to tell backbones apart."""
        matrices = self._of_blocks(lambda parameter: parameter.ndim > 1)
        vectors = self._of_blocks(lambda parameter: parameter.ndim == 1)
        weights = [self.head.weight, fetch_parameter(self.architecture.embeddings)]
        weights += [fetch_parameter(*place) for place in (*matrices, *vectors)]
        samples = []
        for part, weight in zip(
            torch.arange(FINGERPRINT_SIZE).tensor_split(len(weights)), weights, strict=True
        ):
            last = weight.numel() - 1  # float32 rounds it up in a large weight
            at = torch.linspace(0, last, len(part)).long().clamp(max=last)
            samples.append(weight.flatten()[at.to(weight.device)].float().cpu())
        return [round(value, 6) for value in torch.cat(samples).tolist()]

    def _of_blocks(
        self, is_wanted: Callable[[nn.Parameter], bool]
    ) -> Iterator[tuple[nn.Module, str]]:
        """Name some of the wanted parameters of each block, other ones from block to block.

        Some, since those of an offloaded model are fetched; quantised ones are no parameters.
        """
        blocks = self.architecture.blocks
        per_block = -(-FINGERPRINTED // len(blocks))
        for index, block in enumerate(blocks):
            found = [
                (module, name)
                for module in block.modules()
                for name, parameter in module.named_parameters(recurse=False)
                if is_wanted(parameter)
            ]
            n_chosen = min(per_block, len(found))
            for number in range(index * per_block, index * per_block + n_chosen):
                yield found[number % len(found)]


def _find_links(model: nn.Module, parts: tuple[nn.Module, ...]) -> Iterator[Link]:
    """Find every link on the ways from a model to its parts."""
    wanted = set(parts)
    for parent in model.modules():
        for name, child in parent.named_children():
            if not wanted.isdisjoint(child.modules()):
                yield Link(parent, name, child)
