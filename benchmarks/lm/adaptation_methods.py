"""The ways to adapt a language model that results/lm/adaptation.md compares."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from benchmarks.lm_baselines import (
    AdaptationMethod,
    AdaptedModel,
    HeadTuning,
    InContext,
    LinearProjection,
    LoRA,
    NearestTokens,
    PrefixTuning,
    PromptTuning,
    Training,
    ZeroShot,
)
from faast.lm import FaastForCausalLM, MemoryConfig

FROZEN = "zero-shot (frozen)"
NATURAL = "**natural memory**"
FOLDED = "**natural memory, folded**"
PROJECTION = "linear projection in front of the head, by backprop"
LORA = "LoRA, as many parameters as the memory"
BATCH = 16


@dataclass
class Watch:
    """Processor seconds of training once its rate is chosen, and test scores on the way.

    Attributes
    ----------
    score : callable, optional
        Perplexity of a model on the test; the time it takes does not count.
    """

    score: Callable[[Any], float] | None = None
    started: float | None = None
    paused: float = 0.0
    curve: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self, model: Any) -> None:
        now = time.process_time()
        if self.started is None:
            self.started = now
        if self.score is not None:
            self.curve.append((self.elapsed(now), self.score(model)))
            self.paused += time.process_time() - now

    def elapsed(self, now: float) -> float:
        return now - (self.started or 0.0) - self.paused

    def seconds_to(self, perplexity: float) -> float | None:
        """When the score first was as good, or None."""
        return next((second for second, score in self.curve if score <= perplexity), None)


@dataclass(frozen=True)
class Memory:
    """One of ours: a single pass of learn over the windows."""

    config: MemoryConfig
    folded: bool = False

    def __call__(self, base: Any, windows: torch.Tensor) -> AdaptedModel:
        model = FaastForCausalLM.from_base(base, self.config)
        for batch in windows.split(BATCH):
            model.learn(batch)
        model.solve()
        if self.folded:
            plain = model.fold()
            return AdaptedModel(plain, plain.get_output_embeddings().weight.nbytes)
        return AdaptedModel(model, model.memory_bytes)


def methods(middle_layers: int) -> dict[str, AdaptationMethod]:
    """Every method, trained ones with the settings of a fair fight."""
    soft = Training((1e-2, 3e-2, 1e-1), epochs=2, trial_epochs=1 / 6)
    return {
        FROZEN: ZeroShot(),
        "in-context learning": InContext(),
        "the paper's output memory, training-free": Memory(MemoryConfig.paper(0, 1.0)),
        "**exact pseudo-inverse**": Memory(MemoryConfig("pseudoinverse")),
        NATURAL: Memory(MemoryConfig()),
        FOLDED: Memory(MemoryConfig(), folded=True),
        PROJECTION: LinearProjection(),
        LORA: LoRA(training=Training((3e-3, 1e-2, 3e-2), epochs=8)),
        "**natural memory, random features**": Memory(MemoryConfig(random_features=True)),
        f"linear projections, {middle_layers} in the middle too": LinearProjection(middle_layers),
        "whole head, by backprop": HeadTuning(),
        "prefix tuning, as many parameters": PrefixTuning(training=soft),
        "prompt tuning, as many parameters": PromptTuning(training=soft),
        "kNN-LM": NearestTokens(),
    }


def watched(adapter: AdaptationMethod, watch: Watch) -> AdaptationMethod:
    """Return the adapter with its training, if it has any, watched."""
    training = getattr(adapter, "training", None)
    if training is None:
        return adapter
    return replace(adapter, training=replace(training, on_validation=watch))
