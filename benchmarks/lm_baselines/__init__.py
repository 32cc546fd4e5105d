"""Baselines of the language-model benchmarks: other ways to adapt a causal model to a text.

Each method is a callable that takes a model and windows of tokens, and returns an `AdaptedModel`.
Some change the model in place, so each needs a copy of its own.
"""

from benchmarks.lm_baselines.base import AdaptationMethod, AdaptedModel
from benchmarks.lm_baselines.head_tuning import HeadTuning
from benchmarks.lm_baselines.in_context import InContext
from benchmarks.lm_baselines.linear_projection import LinearProjection
from benchmarks.lm_baselines.lora import LoRA
from benchmarks.lm_baselines.nearest_tokens import NearestTokens
from benchmarks.lm_baselines.soft_prompts import PrefixTuning, PromptTuning
from benchmarks.lm_baselines.training import Training
from benchmarks.lm_baselines.zero_shot import ZeroShot

__all__ = [
    "AdaptationMethod",
    "AdaptedModel",
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
