"""What Gemma is taught by: memories that go on learning, other methods anew for each size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from benchmarks.lm.gemma_subject import Subject, labelled_losses, window_losses
from benchmarks.lm.gemma_texts import Text
from benchmarks.lm_baselines import (
    AdaptationMethod,
    InContext,
    LinearProjection,
    LoRA,
    NearestTokens,
    Training,
    ZeroShot,
)
from benchmarks.lm_baselines.fused_loss import fused_loss
from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.hooks import remove_all_hooks

FROZEN = "frozen"
IN_CONTEXT = "in-context"
NEAREST = "kNN-LM"
PROJECTION = "linear projection by backprop"
LORA = "LoRA, rank 8, every linear layer"
PAPER = "the paper's memory"
EXACT = "**exact pseudo-inverse**"
NATURAL = "**natural**"
RECALL = "**recall**"
BOTH = "**natural and recall**"

BATCH = 2
EPOCHS = 3
CHECKS_PER_EPOCH = 4
PATIENCE = CHECKS_PER_EPOCH
"""Checks without gain, one epoch of them, that training survives: it stops at the next."""
LORA_RANK = 8
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Point(NamedTuple):
    """Where training was after some epochs and seconds: losses of the asked windows."""

    epochs: float
    seconds: float
    losses: list[float]

    @property
    def loss(self) -> float:
        """Mean over the windows."""
        return sum(self.losses) / len(self.losses)


class Taught(NamedTuple):
    """A model that has been taught.

    Attributes
    ----------
    n_windows : int
    model : callable
        ``model(input_ids=...)`` has ``logits``.
    seconds : float
        To learn and to be ready for questions, forward passes included.
    n_bytes : int
        Kept beside the model.
    curve : list of Point
        Where it was asked on the way.
    rate : float, optional
        Learning rate.
    ask : callable
        From the model and windows to their losses.
    """

    n_windows: int
    model: Callable[..., Any]
    seconds: float
    n_bytes: int
    curve: Sequence[Point] = ()
    rate: float | None = None
    ask: Callable[[Any, Tensor], list[float]] = window_losses


class Method(Protocol):
    """Teaches the first windows of a text, as many as each of some sizes, in ascending order."""

    def __call__(self, subject: Subject, text: Text, sizes: Sequence[int]) -> Iterator[Taught]: ...


@dataclass(frozen=True)
class Stream:
    """A memory goes on learning from size to size: that is exact."""

    config: MemoryConfig

    def __call__(self, subject: Subject, text: Text, sizes: Sequence[int]) -> Iterator[Taught]:
        """Teach; see `Method`."""
        model = FaastForCausalLM.from_base(subject.model, self.config)
        learning, start = 0.0, 0
        try:
            for size in sizes:
                began = subject.clock()
                for batch in text.learned[start:size].split(BATCH):
                    model.learn(batch)
                learning += subject.clock() - began
                began = subject.clock()
                model.solve()
                solving = subject.clock() - began
                yield Taught(size, model, learning + solving, model.memory_bytes)
                start = size
        finally:
            model.detach()


@dataclass(frozen=True)
class Anew:
    """A method that learns anew for each size.

    Attributes
    ----------
    method : AdaptationMethod
    whole : bool
        Whether it needs a body of its own.
    ask : callable
        See `Taught`.
    """

    method: AdaptationMethod
    whole: bool = False
    ask: Callable[[Any, Tensor], list[float]] = window_losses

    def __call__(self, subject: Subject, text: Text, sizes: Sequence[int]) -> Iterator[Taught]:
        """Teach; see `Method`."""
        for size in sizes:
            base = subject.load() if self.whole else subject.model
            began = subject.clock()
            adapted = self.method(base, text.learned[:size])
            seconds = subject.clock() - began
            try:
                yield Taught(size, adapted.model, seconds, adapted.extra_bytes, ask=self.ask)
            finally:
                remove_all_hooks(base)


@dataclass
class Curve:
    """Asks a model in training: at each check of the first epoch, and at the end of each later one.

    The time of asking does not count.
    """

    subject: Subject
    text: Text
    points: list[Point] = field(default_factory=list)
    started: float | None = None
    checks: int = 0

    def __call__(self, model: Any) -> None:
        now = self.subject.clock()
        if self.started is None:
            self.started = now
            return
        self.checks += 1
        epochs = self.checks / CHECKS_PER_EPOCH
        if epochs < 1 or epochs.is_integer():
            losses = labelled_losses(model, self.text.asked)
            self.points.append(Point(epochs, now - self.started, losses))
            self.started += self.subject.clock() - now


@dataclass(frozen=True)
class Trained:
    """A method of backpropagation, asked on the way: the test text may choose where it is best.

    Attributes
    ----------
    build : callable
        From the settings of the training to the method.
    rates : tuple of float
        Learning rates, each from the start.
    whole : bool
        Whether the body is trained too.
    """

    build: Callable[[Training], AdaptationMethod]
    rates: tuple[float, ...]
    whole: bool = False

    def __call__(self, subject: Subject, text: Text, sizes: Sequence[int]) -> Iterator[Taught]:
        """Teach; see `Method`."""
        for size, rate in product(sizes, self.rates):
            base = subject.load() if self.whole else subject.model
            curve = Curve(subject, text)
            training = Training(
                (rate,),
                EPOCHS,
                checks_per_epoch=CHECKS_PER_EPOCH,
                patience=PATIENCE,
                batch_size=BATCH,
                on_validation=curve,
            )
            with fused_loss(base):
                adapted = self.build(training)(base, text.learned[:size])
            best = min(curve.points, key=lambda point: point.loss)
            try:
                yield Taught(
                    size, adapted.model, best.seconds, adapted.extra_bytes, curve.points, rate
                )
            finally:
                remove_all_hooks(base)


METHODS: dict[str, Method] = {
    FROZEN: Anew(ZeroShot()),
    IN_CONTEXT: Anew(InContext(), whole=True),
    NEAREST: Anew(NearestTokens(), ask=labelled_losses),
    PAPER: Stream(MemoryConfig.paper(0, 1.0)),
    EXACT: Stream(MemoryConfig("pseudoinverse")),
    RECALL: Stream(MemoryConfig(output=None, recall=True)),
    NATURAL: Stream(MemoryConfig()),
    BOTH: Stream(MemoryConfig(recall=True)),
    PROJECTION: Trained(lambda training: LinearProjection(training=training), (3e-4, 1e-3)),
    LORA: Trained(
        lambda training: LoRA(targets=LORA_TARGETS, training=training, rank=LORA_RANK),
        (1e-3,),
        whole=True,
    ),
}
