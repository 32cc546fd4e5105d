"""Exact memories: pairs as exact sums, and an output memory that chooses its own settings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from faast.core.moments import Moments
from faast.core.sample import RowSample
from faast.core.statistics import Statistics
from faast.lm.backbone import check_targets
from faast.lm.base import PairStore
from faast.lm.exceptions import NOT_LEARNED, ForgettingError
from faast.lm.hooks import HEAD, LAST
from faast.lm.output_memory import PseudoInverseOutput, Solution
from faast.lm.state import LARGEST_COUNT, SETTING
from faast.lm.validation_sample import ValidationSample
from faast.lm.vocabulary_sample import sample_vocabulary
from faast.solvers import PseudoInverse
from faast.solvers.pseudo_inverse import PAPER_ALPHA
from faast.solvers.spectrum import Spectrum, decompose

if TYPE_CHECKING:
    from faast._utils.arrays import FloatArray
    from faast.lm.backbone import Backbone
    from faast.lm.batch import TrainingBatch
    from faast.lm.config import MemoryConfig
    from faast.lm.validation_sample import HeldOutPairs

ALPHAS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
INTERPOLATIONS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
FIRST_SHARE = 0.5
"""Interpolation with which the first alpha is chosen."""
ROUNDS = 2
CHECKED_TOKENS = 8


@dataclass(frozen=True)
class ExactPairs(PairStore):
    """Everything learned, as moments: any order and batching gives the same bits.

    Attributes
    ----------
    moments : Moments
    alpha : float
        Exponent of the spectral filter, rtol = N**-alpha.
    """

    moments: Moments
    alpha: float = field(default=PAPER_ALPHA, metadata=SETTING)

    @classmethod
    def empty(cls, key_scale: FloatArray, value_scale: FloatArray, alpha: float) -> ExactPairs:
        """Return a store that has learned nothing; grid scales, per column, are powers of two."""
        return cls(Moments(len(key_scale), len(value_scale), key_scale, value_scale), alpha)

    def validate(self, empty: ExactPairs) -> None:
        """Raise ValueError for sums that no pairs of this model can have."""
        check_sums(self.moments, empty.moments)

    @property
    def count(self) -> float:
        """Pairs learned."""
        return self.moments.count

    @cached_property
    def weights(self) -> Tensor:
        """W, shape (d, m), float32."""
        return _solve(self.spectrum(), self.alpha)

    def spectrum(self) -> Spectrum:
        """Decompose the moments, from which W follows for every alpha."""
        no_rows = RowSample.empty(self.moments.n_features, self.moments.n_values, capacity=0)
        return decompose(Statistics(self.moments, no_rows, None, maps=False), centred=False)

    def learn(self, keys: Tensor, values: Tensor) -> Self:
        """Return the store after learning pairs."""
        return replace(self, moments=self.moments.copy().add(keys, values))

    def forget(self, keys: Tensor, values: Tensor) -> Self:
        """Return the store as if pairs had never been learned; raises `ForgettingError`."""
        try:
            return replace(self, moments=self.moments.copy().subtract(keys, values))
        except ValueError as error:
            raise ForgettingError(NOT_LEARNED) from error

    def merge(self, other: Self) -> Self:
        """Return a store that has learned the pairs of both."""
        try:
            return replace(self, moments=self.moments + other.moments)
        except ValueError as error:
            raise ValueError(
                "the hidden states of the two models differ, as those of float32 and bfloat16 do; "
                f"load both models with the same dtype ({error})"
            ) from error


@dataclass(frozen=True)
class ExactOutput(PseudoInverseOutput[ExactPairs]):
    """The paper's output memory from exact sums, its settings chosen on validation pairs.

    Attributes
    ----------
    validation : ValidationSample
        Pairs among those learned. Settings are chosen on them; the final weights learn them too.
    alpha, interpolation : float or None
        Given settings; None is chosen.
    """

    validation: ValidationSample
    alpha: float | None = field(metadata=SETTING)
    interpolation: float | None = field(metadata=SETTING)

    @classmethod
    def empty(
        cls,
        backbone: Backbone,
        config: MemoryConfig,
        key_scale: FloatArray,
        value_scale: FloatArray,
    ) -> ExactOutput:
        """Return a memory that has learned nothing; grid scales are of shape (d,)."""
        return cls(
            ExactPairs.empty(key_scale, value_scale, config.alpha or PAPER_ALPHA),
            backbone,
            ValidationSample.empty(backbone.hidden_size),
            config.alpha,
            config.interpolation,
        )

    def validate(self, empty: ExactOutput) -> None:
        """Raise ValueError where the sample holds other tokens, or more pairs than were learned."""
        check_targets(self.validation.targets, empty.backbone)
        if len(self.validation.keys) > self.count:
            raise ValueError(
                f"{len(self.validation.keys)} pairs cannot be a sample of {self.count:g}"
            )

    @cached_property
    def solution(self) -> Solution:
        """W and r of least loss on validation pairs.

        Notes
        -----
        Candidates are solved without the validation pairs. r = 0, the frozen model, is among them
        unless r is given, and it is the choice where too few pairs were learned to hold any out.
        """
        alphas = ALPHAS if self.alpha is None else (self.alpha,)
        shares = INTERPOLATIONS if self.interpolation is None else (self.interpolation,)
        alpha, share = alphas[-1], shares[0]
        held = self.validation.draw(self.count)
        if held is not None and len(alphas) * len(shares) > 1:
            alpha, share = self._choose(held, alphas, shares)
        return Solution(_solve(self.pairs.spectrum(), alpha).to(self.backbone.device), share)

    def learn(self, batch: TrainingBatch) -> Self:
        """Return the memory after learning a batch."""
        last, head_input = batch.states[LAST], batch.states[HEAD]
        if self.alpha is None or self.interpolation is None:
            some = (slice(1), slice(CHECKED_TOKENS))
            self.backbone.check_final_norm(last[some], head_input[some])
        learned = super().learn(batch)
        keys = batch.pairs.keys(last)
        return replace(learned, validation=self.validation.learn(batch, keys))

    def forget(self, batch: TrainingBatch) -> Self:
        """Return the memory as if a batch had never been learned; raises `ForgettingError`."""
        validation = self.validation.forget(batch)
        left = super().forget(batch)
        if not left.count:
            validation = ValidationSample.empty(self.backbone.hidden_size)
        return replace(left, validation=validation)

    def merge(self, other: Self) -> Self:
        """Return a memory that has learned what both have."""
        validation = self.validation.merge(other.validation)
        return replace(super().merge(other), validation=validation)

    def _choose(
        self, held: HeldOutPairs, alphas: tuple[float, ...], shares: tuple[float, ...]
    ) -> tuple[float, float]:
        """Return alpha and interpolation of least loss on pairs that are held out.

        One is chosen with the other as it is, in turns, so that the cost grows with their numbers
        and not with the product of them; and on a sample of a large vocabulary.
        """
        backbone = self.backbone
        keys, targets = (part.to(backbone.device) for part in held)
        rest = self.pairs.forget(keys, backbone.embed(targets)).spectrum()
        read = cache(lambda alpha: keys @ _solve(rest, alpha).to(keys.device))

        def head_input(alpha: float, share: float) -> Tensor:
            mixed = torch.lerp(keys, read(alpha), share)
            return backbone.normalize(mixed.to(backbone.model.dtype))

        alpha, share = alphas[len(alphas) // 2], FIRST_SHARE
        with torch.no_grad(), torch.autocast(backbone.device.type, enabled=False):
            expected = torch.cat([head_input(alpha, 0.0), head_input(alpha, share)])
            head, tokens = sample_vocabulary(backbone.head, expected, targets, seed=0)
            loss = cache(lambda alpha, share: head.loss(head_input(alpha, share), tokens))
            for _ in range(ROUNDS):
                alpha = min(alphas, key=lambda one: loss(one, share))
                share = min(shares, key=lambda one: loss(alpha, one))
        return alpha, share


def check_sums(found: Moments, empty: Moments) -> None:
    """Check the moments of a file against the empty moments of this model.

    Raises
    ------
    ValueError
        They have other widths or another grid, or break an inequality that all sums satisfy.

    Notes
    -----
    Scales may differ by a factor of two, since a backbone in another precision rounds its hidden
    states differently.
    """
    shape = found.n_features, found.n_values
    if shape != (empty.n_features, empty.n_values) or not found.exact or found.grid != empty.grid:
        raise ValueError(f"this model needs other sums than those of {found!r}")
    for mine, theirs in (
        (empty.key_scale, found.key_scale),
        (empty.value_scale, found.value_scale),
    ):
        ratio = np.asarray(theirs) / np.asarray(mine)
        if np.shape(mine) != np.shape(theirs) or not np.all((ratio >= 0.5) & (ratio <= 2.0)):
            raise ValueError("the scales of the grid are not those of this model")
    if (found.grids.user_key, found.grids.user_value) != (True, True):
        raise ValueError("the scales of the grid are given by the model")
    sums = {name: part.astype(np.float64) for name, part in found.sums.items()}
    count, gram = float(sums["count"]), found.products.lower.astype(np.float64)
    keys, values = sums["key_square_sum"], sums["value_square_sum"]
    bounds = (  # the inequality of Cauchy and Schwarz
        (gram, np.outer(keys, keys)),
        (sums["cross"], np.outer(keys, values)),
        (sums["key_sum"], count * keys),
        (sums["value_sum"], count * values),
    )
    empty_sums = count == 0 and bool(keys.any() or values.any())
    if (
        empty_sums
        or count > LARGEST_COUNT
        or any(np.any(part**2 > (1 + 1e-9) * most) for part, most in bounds)
    ):
        raise ValueError("no pairs have these sums")


def _solve(decomposed: Spectrum, alpha: float) -> Tensor:
    """Return W of the pseudo-inverse with rtol = N**-alpha: shape (d, m), float32."""
    return torch.from_numpy(PseudoInverse(alpha).solve_spectrum(decomposed).matrix).float()
