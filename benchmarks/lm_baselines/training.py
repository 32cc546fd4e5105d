"""Training by backpropagation, with held-out windows to choose the learning rate and to stop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from faast._utils.progress import progress_bar

if TYPE_CHECKING:
    from torch import Tensor, nn

VALIDATION_EVERY = 20
"""One of so many windows is held out."""


@dataclass(frozen=True)
class Training:
    """Train with Adam on shuffled windows, at a learning rate that falls linearly to zero.

    Every twentieth window is held out for validation. Short runs choose the learning rate of least
    validation loss; a full run follows, of which the weights of least validation loss are kept.

    Attributes
    ----------
    learning_rates : tuple of float
        Candidates.
    epochs : int
        Length of the full run.
    trial_epochs : float
        Length of the runs that choose the learning rate.
    checks_per_epoch : int
        Number of validations in each epoch.
    patience : int
        Number of validations in a row that may bring no improvement before the training stops.
    batch_size : int
        Number of windows per step.
    seed : int
        Seed of the shuffling, and of initial weights where a method draws them.
    on_validation : callable, optional
        Called with the model at the beginning of the full run and after each of its validations.
    """

    learning_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    epochs: int = 3
    trial_epochs: float = 1 / 3
    checks_per_epoch: int = 2
    patience: int = 2
    batch_size: int = 4
    seed: int = 0
    on_validation: Callable[[nn.Module], None] | None = None

    def run(self, model: nn.Module, parameters: list[nn.Parameter], windows: Tensor) -> None:
        """Minimise the next-token loss over the given parameters; all others stay frozen.

        Parameters
        ----------
        model : Module
            ``model(input_ids=..., labels=...)`` returns an object with ``loss``.
        parameters : list of Parameter
            Changed in place.
        windows : Tensor of shape (n, length), int64
            Token ids of the text.

        Raises
        ------
        ValueError
            If there is only one window, so that none can be held out.
        """
        if len(windows) < 2:
            raise ValueError(
                f"training needs two windows or more, one of them to hold out, got {len(windows)}"
            )
        held_out = torch.zeros(len(windows), dtype=torch.bool, device=windows.device)
        held_out[VALIDATION_EVERY // 2 :: VALIDATION_EVERY] = True
        held_out[-1] |= not bool(held_out.any())
        model.requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_()
        run = _Run(self, model, parameters, windows[~held_out], windows[held_out])
        run.fit(run.choose_learning_rate())
        model.requires_grad_(False)


@dataclass(frozen=True)
class _Run:
    """Training of one model.

    Attributes
    ----------
    settings : Training
    model : Module
    parameters : list of Parameter
        What is trained.
    windows : Tensor of shape (n, length), int64
        Windows to train on.
    validation : Tensor of shape (m, length), int64
        Windows held out.
    """

    settings: Training
    model: nn.Module
    parameters: list[nn.Parameter]
    windows: Tensor
    validation: Tensor

    def choose_learning_rate(self) -> float:
        """Try each learning rate from the same start, and return the one of least loss."""
        candidates = self.settings.learning_rates
        if len(candidates) == 1:
            return candidates[0]
        start = copy_values(self.parameters)
        losses = {}
        for rate in candidates:
            for _ in self.descend(rate, self.settings.trial_epochs):
                pass
            losses[rate] = self.validation_loss()
            restore_values(self.parameters, start)
        return min(losses, key=losses.__getitem__)

    def fit(self, rate: float) -> None:
        """Train with early stopping, and keep the weights of least validation loss."""
        settings = self.settings
        n_steps = self.count_steps(settings.epochs)
        steps_per_epoch = self.count_steps(1)
        best_loss, best_values = self.validation_loss(), copy_values(self.parameters)
        n_without_gain = 0
        self.notify()
        step = 0
        steps = progress_bar(
            self.descend(rate, settings.epochs), lambda: step / n_steps, "Training", enabled=True
        )
        for step in steps:
            # a check is due where step * checks_per_epoch passes a multiple of steps_per_epoch
            due = step * settings.checks_per_epoch % steps_per_epoch < settings.checks_per_epoch
            if not due and step < n_steps:
                continue
            loss = self.validation_loss()
            self.notify()
            if loss < best_loss:
                best_loss, best_values = loss, copy_values(self.parameters)
                n_without_gain = 0
            else:
                n_without_gain += 1
            if n_without_gain > settings.patience:
                break
        restore_values(self.parameters, best_values)

    def count_steps(self, epochs: float) -> int:
        """Return the number of steps in so many epochs, at least one."""
        return max(1, math.ceil(epochs * len(self.windows) / self.settings.batch_size))

    def descend(self, rate: float, epochs: float) -> Iterator[int]:
        """Take the steps of some epochs, and yield the number of each once it is done."""
        n_steps, size = self.count_steps(epochs), self.settings.batch_size
        optimizer = torch.optim.Adam(self.parameters, lr=rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / n_steps)
        generator = torch.Generator().manual_seed(self.settings.seed)
        order = torch.empty(0, dtype=torch.long)
        for step in range(1, n_steps + 1):
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
    def validation_loss(self) -> float:
        """Return the mean loss on the held-out windows, infinite if it is not a number."""
        total, size = 0.0, self.settings.batch_size
        for start in range(0, len(self.validation), size):
            batch = self.validation[start : start + size]
            total += float(self.model(input_ids=batch, labels=batch).loss) * len(batch)
        return total / len(self.validation) if math.isfinite(total) else math.inf

    def notify(self) -> None:
        """Call the callback of the settings, if there is one."""
        if self.settings.on_validation is not None:
            self.settings.on_validation(self.model)


def parameter_bytes(parameters: list[nn.Parameter]) -> int:
    """Return the number of bytes that parameters take."""
    return sum(parameter.nbytes for parameter in parameters)


def copy_values(parameters: list[nn.Parameter]) -> list[Tensor]:
    """Copy the values of parameters."""
    return [parameter.detach().clone() for parameter in parameters]


def restore_values(parameters: list[nn.Parameter], values: list[Tensor]) -> None:
    """Set parameters to values from `copy_values`."""
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)
