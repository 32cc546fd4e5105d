"""A memory as a LoRA of its model's output embeddings, in the layout of PEFT and of vLLM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import safetensors.torch
import torch
from torch import Tensor

from faast.core.atomic_files import write_json, write_whole
from faast.lm.exceptions import FoldingError
from faast.lm.folders import Source, check_empty_folder

if TYPE_CHECKING:
    from faast.lm.backbone import Backbone
    from faast.lm.memory import Memory

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True)
class HeadLora:
    """A change B A of the output embeddings, of low rank.

    Attributes
    ----------
    down : Tensor of shape (rank, d)
        A.
    up : Tensor of shape (vocabulary, rank)
        B.
    """

    down: Tensor
    up: Tensor

    @classmethod
    def from_memory(cls, backbone: Backbone, memory: Memory, rank: int) -> HeadLora:
        """Return the change of least error in the logits that has a rank.

        Raises
        ------
        ValueError
            The rank is not between 1 and the width d.
        FoldingError
            The memory is not a linear map of the head's input, has learned nothing, or shifts
            logits by a bias.

        Notes
        -----
        The memory changes E to E + E Mᵀ. With M Eᵀ E Mᵀ = V S² Vᵀ, the best approximation of rank r
        keeps the first r columns of V: B = E Mᵀ V_r and A = V_rᵀ (Eckart & Young 1936).
        """
        width = backbone.head.width
        if not 1 <= rank <= width:
            raise ValueError(f"rank must be between 1 and the width of the model, {width}: {rank}")
        shift = memory.head_shift()
        if shift is None:
            raise FoldingError("the memory has learned nothing that an adapter could hold")
        if bool(shift.bias.any()):
            raise FoldingError(
                "the memory shifts the logits by a bias, which a LoRA of the output embeddings "
                "cannot hold (the model has a LayerNorm or a head with a bias); fold it instead"
            )
        embeddings = backbone.head.weight
        change = shift.matrix.T.double()
        gram = torch.zeros_like(change)
        for at in backbone.head.chunks(len(embeddings)):
            moved = embeddings[at].double() @ change
            gram += moved.T @ moved
        directions = torch.linalg.eigh(gram).eigenvectors.flip(1)[:, :rank]
        up = embeddings.float() @ (change @ directions).float()
        return cls(directions.T.float().contiguous(), up)

    def save(self, directory: Source, backbone: Backbone) -> None:
        """Write the adapter into a folder: its configuration and its weights.

        Raises
        ------
        OSError
            The folder cannot be written to, or holds something.
        """
        check_empty_folder(directory)
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        name = backbone.head_name
        prefix = f"base_model.model.{name}"
        tensors = {
            f"{prefix}.lora_A.weight": self.down.cpu(),
            f"{prefix}.lora_B.weight": self.up.cpu(),
        }
        config = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": backbone.name or None,
            "target_modules": [name.rpartition(".")[2]],
            "r": len(self.down),
            "lora_alpha": len(self.down),
            "lora_dropout": 0.0,
            "bias": "none",
            "inference_mode": True,
        }
        weights = safetensors.torch.save(tensors, {"format": "pt"})
        write_whole(folder / WEIGHTS_FILE, weights)
        write_json(folder / CONFIG_FILE, config)
