"""What a model must provide to carry memories, checked before anything is attached to it.

1. It is a decoder of transformers, and not inside a wrapper that is called in its place.
2. Its weights are its own. An adapter inside it could be switched off, or trained, under what
   memories have learned.
3. Its input and output embeddings are numbers that can be multiplied by: floating point, on a
   device, or offloaded by accelerate.

Memories also need its blocks, which `faast.lm.architecture` finds. While they are attached, its
parts and its vocabulary stay as they are; `faast.lm.backbone.Backbone.check_unchanged` sees to it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from faast.lm.exceptions import UnsupportedModelError
from faast.lm.offloading import fetch_parameter

WRAPPERS = {
    "merge_and_unload": "give model.merge_and_unload(), which is one",
    "_orig_mod": "give the model itself, and compile it when memories are attached",
    "module": "give model.module, which it wraps",
}
"""Ways out of a wrapper, by an attribute that tells it."""


def check_model(model: Any) -> None:
    """Raise `UnsupportedModelError` unless this is a decoder of transformers with its own weights.

    Parameters
    ----------
    model : object
        What should carry memories; nothing of it is changed.
    """
    if not isinstance(model, PreTrainedModel):
        ways_out = (f"; {way}" for name, way in WRAPPERS.items() if hasattr(model, name))
        raise UnsupportedModelError(
            "expected a loaded Hugging Face causal language model, got "
            f"{type(model).__name__}{next(ways_out, '')}"
        )
    if getattr(model.config, "is_encoder_decoder", False):
        raise UnsupportedModelError(
            f"{type(model).__name__} is an encoder-decoder; memories attach to decoder-only models"
        )
    if model.get_output_embeddings() is None:  # type: ignore[no-untyped-call]
        raise UnsupportedModelError(
            f"{type(model).__name__} has no output embeddings; load it with AutoModelForCausalLM"
        )
    check_adapters(model)
    _check_embeddings(model)


def check_adapters(model: PreTrainedModel) -> None:
    """Raise `UnsupportedModelError` where PEFT has put adapters into a model."""
    if getattr(model, "peft_config", None) or getattr(model, "_hf_peft_config_loaded", False):
        raise UnsupportedModelError(
            f"{type(model).__name__} holds an adapter of PEFT, and memories belong to one set of "
            "weights; merge the adapter first, with PeftModel.from_pretrained(base, "
            "adapter).merge_and_unload(), and attach memories to what that returns"
        )


def _check_embeddings(model: PreTrainedModel) -> None:
    """Raise `UnsupportedModelError` where embeddings are no numbers to multiply by."""
    parts = {"output": model.get_output_embeddings(), "input": model.get_input_embeddings()}  # type: ignore[no-untyped-call]
    for name, part in parts.items():
        weight = getattr(part, "weight", None)
        if not isinstance(weight, Tensor) or not weight.is_floating_point():
            raise UnsupportedModelError(
                f"the {name} embeddings of {type(model).__name__} are quantised: memories need "
                "them in floating point; leave them out when you quantise (such as "
                'llm_int8_skip_modules=["lm_head"]), or load the model in bfloat16'
            )
        if fetch_parameter(part).is_meta:
            raise UnsupportedModelError(
                f"the {name} embeddings of {type(model).__name__} hold no numbers (they are on the "
                "meta device): load the model's weights, or let accelerate offload them"
            )
