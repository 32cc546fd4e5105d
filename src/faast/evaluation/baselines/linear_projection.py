"""Linear projection of the features, trained by backpropagation with torch."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.imports import import_optional
from faast.evaluation.baselines.base import (
    LOGIT_SCALE,
    ClassEmbeddings,
    ProbabilisticBaseline,
    class_means,
    stack_embeddings,
    unit,
)
from faast.evaluation.baselines.model_selection import support_folds

Tensor: TypeAlias = Any
"""A torch.Tensor, or positions that index one; torch is imported only to train."""


class LinearProjection(ProbabilisticBaseline):
    """scores = 100 unit(x + P x) T', with P trained by SGD on the cross-entropy.

    Momentum is 0.9; the learning rate falls to a tenth after half of the epochs. With `patience`,
    an eighth of each class (at least one row) is held out and the epoch with the best held-out
    accuracy is kept. When no class has two rows, all rows train and the last epoch is kept.

    P starts at zero, so training starts at the zero-shot classifier. Without class embeddings, T
    holds the unit class means of the support, so training starts at the nearest class mean: with
    few rows per class, the same schedule ends below it when it starts at a random linear layer.

    Parameters
    ----------
    class_embeddings : mapping of label to array-like of shape (n_features,), optional
        Zero-shot prior.
    epochs : int
        Passes over the rows.
    learning_rate : float
        Step size in the first half of the epochs.
    batch_size : int
        Rows per step.
    patience : int or None
        Training stops after this many epochs without a better held-out accuracy. None holds
        nothing out and trains on all rows for all epochs, the protocol on full data.
    random_state : int
        Seed of the held-out rows and of the batches.

    Raises
    ------
    ImportError
        In `fit`, if torch is not installed.

    References
    ----------
    FAAST, arXiv:2605.04651, the linear baseline of the image experiments.
    """

    def __init__(
        self,
        class_embeddings: ClassEmbeddings | None = None,
        epochs: int = 20,
        learning_rate: float = 0.001,
        batch_size: int = 16,
        patience: int | None = 5,
        random_state: int = 0,
    ) -> None:
        self.class_embeddings = class_embeddings
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.patience = patience
        self.random_state = random_state

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        if self.class_embeddings is None:
            self.embeddings_ = unit(class_means(unit(rows), codes))
        else:
            self.embeddings_ = stack_embeddings(self.class_embeddings, self.classes_, rows.shape[1])
        self.projection_ = self._train(rows, codes)

    def _train(self, rows: FloatArray, codes: IntArray) -> FloatArray:
        torch = import_optional("torch", "bench")
        inputs, embeddings = (
            torch.from_numpy(array.astype(np.float32)) for array in (rows, self.embeddings_)
        )
        targets = torch.from_numpy(codes)
        learn, held = self._split(codes)
        projection = torch.zeros(2 * (rows.shape[1],), requires_grad=True)
        optimiser = torch.optim.SGD([projection], lr=self.learning_rate, momentum=0.9)
        schedule = torch.optim.lr_scheduler.StepLR(optimiser, max(1, (self.epochs + 1) // 2), 0.1)
        generator = torch.Generator().manual_seed(self.random_state)

        def scores(positions: Tensor) -> Tensor:
            moved = inputs[positions] + inputs[positions] @ projection.T
            return LOGIT_SCALE * torch.nn.functional.normalize(moved, dim=1) @ embeddings.T

        def train_epoch() -> None:
            shuffled = torch.from_numpy(learn)[torch.randperm(len(learn), generator=generator)]
            for batch in shuffled.split(self.batch_size):
                loss = torch.nn.functional.cross_entropy(scores(batch), targets[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            schedule.step()

        best, best_hits, best_epoch = projection, -1, 0
        for epoch in range(self.epochs):
            train_epoch()
            if not held.size:
                continue
            with torch.no_grad():
                hits = int((scores(held).argmax(dim=1) == targets[held]).sum())
            if hits > best_hits:
                best, best_hits, best_epoch = projection.detach().clone(), hits, epoch
            if self.patience and epoch - best_epoch >= self.patience:
                break
        trained: FloatArray = best.detach().numpy().astype(np.float64)
        return trained

    def _split(self, codes: IntArray) -> tuple[IntArray, IntArray]:
        """Choose the positions to learn from and the positions to hold out."""
        eighths = support_folds(codes, 8, self.random_state) if self.patience else iter(())
        return next(eighths, (np.arange(len(codes)), np.empty(0, dtype=codes.dtype)))

    def _scores(self, rows: FloatArray) -> FloatArray:
        return LOGIT_SCALE * unit(rows + rows @ self.projection_.T) @ self.embeddings_.T

    def _stored(self) -> Sequence[AnyArray]:
        return [self.projection_, self.embeddings_]
