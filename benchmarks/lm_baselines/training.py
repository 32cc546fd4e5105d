"""The training loop of the baselines that are trained by backprop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from faast._utils.progress import progress_bar

if TYPE_CHECKING:
    from torch import Tensor, nn

HELD_EVERY = 20
CHECKS_PER_EPOCH = 2


@dataclass(frozen=True)
class Training:
    """Adam over shuffled windows, the learning rate falling linearly to zero.

    Every twentieth window is held out of the support: short runs choose the learning rate on those,
    and the weights of least loss on them are kept.

    Attributes
    ----------
    learning_rates : tuple of float
        Candidates.
    epochs : int
    trial_epochs : float
        Length of the runs that choose the rate.
    patience : int
        Checks, two an epoch, without a better loss before it stops.
    batch_size : int
        Windows a step.
    seed : int
        Of the shuffling and of initial weights.
    observe : callable, optional
        Called with the model when the learning rate has been chosen and after each later check.
    """

    learning_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    epochs: int = 3
    trial_epochs: float = 1 / 3
    patience: int = 2
    batch_size: int = 4
    seed: int = 0
    observe: Callable[[nn.Module], None] | None = None

    def run(self, model: nn.Module, parameters: list[nn.Parameter], windows: Tensor) -> None:
        """Minimise the next-token loss over `parameters` alone.

        Parameters
        ----------
        model : Module
        parameters : list of Parameter
        windows : Tensor of shape (n, length)

        Raises
        ------
        ValueError
            A single window, of which nothing can be held out.
        """
        if len(windows) < 2:
            raise ValueError(
                f"training needs two windows or more, one of them to hold out, got {len(windows)}"
            )
        held = torch.zeros(len(windows), dtype=torch.bool, device=windows.device)
        held[HELD_EVERY // 2 :: HELD_EVERY] = True
        held[-1] |= not bool(held.any())
        model.requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_()
        start = copied(parameters)
        run = _Run(self, model, parameters, windows[~held], windows[held])
        rate = self.learning_rates[0]
        if len(self.learning_rates) > 1:
            losses = {}
            for candidate in self.learning_rates:
                for _ in run.descend(candidate, self.trial_epochs):
                    pass
                losses[candidate] = run.held_loss()
                restore(parameters, start)
            rate = min(losses, key=losses.__getitem__)
        run.fit(rate)
        model.requires_grad_(False)


@dataclass(frozen=True)
class _Run:
    settings: Training
    model: nn.Module
    parameters: list[nn.Parameter]
    windows: Tensor
    held: Tensor

    def fit(self, rate: float) -> None:
        """Descend with early stopping and keep the best weights."""
        settings = self.settings
        steps = self.steps(settings.epochs)
        every = max(1, self.steps(1) // CHECKS_PER_EPOCH)
        best, kept, unhelpful = self.held_loss(), copied(self.parameters), 0
        self.observe()
        run = progress_bar(
            self.descend(rate, settings.epochs), lambda: done / steps, "training", enabled=True
        )
        done = 0
        for done in run:
            if done % every and done < steps:
                continue
            loss = self.held_loss()
            self.observe()
            unhelpful = 0 if loss < best else unhelpful + 1
            if loss < best:
                best, kept = loss, copied(self.parameters)
            if unhelpful > settings.patience:
                break
        restore(self.parameters, kept)

    def steps(self, epochs: float) -> int:
        return max(1, math.ceil(epochs * len(self.windows) / self.settings.batch_size))

    def descend(self, rate: float, epochs: float) -> Iterator[int]:
        """Yield the number of each step once it is done."""
        steps, size = self.steps(epochs), self.settings.batch_size
        optimizer = torch.optim.Adam(self.parameters, lr=rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        generator = torch.Generator().manual_seed(self.settings.seed)
        order = torch.empty(0, dtype=torch.long)
        for step in range(1, steps + 1):
            if len(order) < size:
                order = torch.cat([order, torch.randperm(len(self.windows), generator=generator)])
            batch, order = self.windows[order[:size]], order[size:]
            loss = self.model(input_ids=batch, labels=batch).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            yield step

    @torch.no_grad()
    def held_loss(self) -> float:
        total, size = 0.0, self.settings.batch_size
        for start in range(0, len(self.held), size):
            part = self.held[start : start + size]
            total += float(self.model(input_ids=part, labels=part).loss) * len(part)
        return total / len(self.held) if math.isfinite(total) else math.inf

    def observe(self) -> None:
        if self.settings.observe is not None:
            self.settings.observe(self.model)


def bytes_of(parameters: list[nn.Parameter]) -> int:
    """Bytes of parameters."""
    return sum(parameter.nbytes for parameter in parameters)


def copied(parameters: list[nn.Parameter]) -> list[Tensor]:
    """Copy the values of parameters."""
    return [parameter.detach().clone() for parameter in parameters]


def restore(parameters: list[nn.Parameter], values: list[Tensor]) -> None:
    """Set parameters to values that `copied` returned."""
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)
