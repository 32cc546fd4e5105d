"""What memories are compared with: other ways to adapt a causal language model to a text.

Each takes a model of its own (some change it in place) and windows of tokens, and returns an
`Adapted` model.
"""

from faast.lm.baselines.base import Adapted, Adapter
from faast.lm.baselines.head_tuning import HeadTuning
from faast.lm.baselines.in_context import InContext
from faast.lm.baselines.linear_projection import LinearProjection
from faast.lm.baselines.lora import LoRA
from faast.lm.baselines.nearest_tokens import NearestTokens
from faast.lm.baselines.soft_prompts import PrefixTuning, PromptTuning
from faast.lm.baselines.training import Training
from faast.lm.baselines.zero_shot import ZeroShot

__all__ = [
    "Adapted",
    "Adapter",
    "HeadTuning",
    "InContext",
    "LinearProjection",
    "LoRA",
    "NearestTokens",
    "PrefixTuning",
    "PromptTuning",
    "Training",
    "ZeroShot",
]
