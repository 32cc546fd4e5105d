"""What memories are compared with: other ways to adapt a causal language model to a text.

Each takes a model of its own (some change it in place) and windows of tokens, and returns an
`Adapted` model.
"""

from benchmarks.lm_baselines.base import Adapted, Adapter
from benchmarks.lm_baselines.head_tuning import HeadTuning
from benchmarks.lm_baselines.in_context import InContext
from benchmarks.lm_baselines.linear_projection import LinearProjection
from benchmarks.lm_baselines.lora import LoRA
from benchmarks.lm_baselines.nearest_tokens import NearestTokens
from benchmarks.lm_baselines.soft_prompts import PrefixTuning, PromptTuning
from benchmarks.lm_baselines.training import Training
from benchmarks.lm_baselines.zero_shot import ZeroShot

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
