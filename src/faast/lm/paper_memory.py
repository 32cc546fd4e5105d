"""The paper's bank of pairs and its block average of pseudo-inverses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from faast.core.persistence import State


@dataclass(frozen=True)
class PairBank:
    """Pairs that are kept as rows, and what older pairs were folded into.

    Attributes
    ----------
    keys, values : Tensor of shape (n, d) and (n, m)
    folded : Tensor of shape (d, m)
        W0, the average of the blocks folded in.
    folded_count : float
        N0, the pairs behind it; discounted while readouts are trained.
    """

    keys: Tensor
    values: Tensor
    folded: Tensor
    folded_count: float = 0.0

    @classmethod
    def empty(cls, n_features: int, n_values: int) -> PairBank:
        """Nothing learned."""
        return cls(
            torch.empty(0, n_features), torch.empty(0, n_values), torch.zeros(n_features, n_values)
        )

    @property
    def count(self) -> float:
        """Pairs learned (fewer where they were discounted)."""
        return self.folded_count + len(self.keys)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.keys.nbytes + self.values.nbytes + self.folded.nbytes

    def learned(self, keys: Tensor, values: Tensor, averaging: BlockAverage) -> PairBank:
        """Fold the oldest blocks in while the bank is full, then append the new pairs whole."""
        bank = self
        while len(bank.keys) >= averaging.bank_size:
            bank = bank._folded(averaging)
        held_keys, held_values = bank.keys.to(keys.device), bank.values.detach().to(keys.device)
        return replace(
            bank,
            keys=torch.cat([held_keys, keys.float()]),
            values=torch.cat([held_values, values.float()]),
        )

    def solved(self, averaging: BlockAverage) -> Tensor:
        """W, shape (d, m): what was folded in, averaged with what the bank holds."""
        return averaging.average(self.folded, self.folded_count, self.keys, self.values)[0]

    def to_state(self) -> State:
        """Return what a file keeps."""
        tensors = {"keys": self.keys, "values": self.values, "folded": self.folded}
        return State(
            {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()},
            {"folded_count": self.folded_count},
        )

    @classmethod
    def from_state(cls, state: State) -> PairBank:
        """Restore what `to_state` returned."""
        tensors = {name: torch.from_numpy(array) for name, array in state.tensors.items()}
        return cls(**tensors, folded_count=float(state.metadata["folded_count"]))

    def _folded(self, averaging: BlockAverage) -> PairBank:
        size = averaging.block_size
        weights, count = averaging.average(
            self.folded, self.folded_count, self.keys[:size], self.values[:size].detach()
        )
        return PairBank(self.keys[size:], self.values[size:].detach(), weights, count)


@dataclass(frozen=True)
class BlockAverage:
    """FAAST's incremental update (arXiv 2605.04651): W0 ← W0 N0/(N0 + n) + W_block n/(N0 + n).

    Attributes
    ----------
    alpha : float or None
        rtol = n**-alpha with n the pairs of the piece being solved. None: the tolerance of float32
        rounding, as while readouts are trained.
    bank_size, block_size : int
    discount : float
        Factor on N0 before every average; 1 outside training.
    """

    alpha: float | None
    bank_size: int
    block_size: int
    discount: float = 1.0

    def average(
        self, folded: Tensor, folded_count: float, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, float]:
        """Return W0 and N0 after one more piece; gradients flow through the values alone."""
        if not len(keys):
            return folded, folded_count
        inverse = pseudo_inverse(keys.detach(), self.alpha).to(values.dtype)
        count = folded_count * self.discount
        total = count + len(keys)
        with torch.autocast(keys.device.type, enabled=False):
            piece = inverse @ values
        return folded.to(piece.device) * (count / total) + piece * (len(keys) / total), total


def pseudo_inverse(keys: Tensor, alpha: float | None) -> Tensor:
    """Pseudo-inverse of keys (n, d), float64, singular values below rtol · largest dropped.

    Notes
    -----
    From the smaller side's second moments, K⁺ = (KᵀK)⁺ Kᵀ = Kᵀ (KKᵀ)⁺: exact to about
    1e-16 · condition², far inside what float32 hidden states carry.
    """
    n, d = keys.shape
    rtol = float(n) ** -alpha if alpha else max(n, d) * torch.finfo(torch.float32).eps
    exact = keys.double()
    wide = n < d
    gram = exact @ exact.T if wide else exact.T @ exact
    eigenvalues, basis = torch.linalg.eigh(gram)
    kept = eigenvalues > eigenvalues[-1] * min(rtol, 1.0 - 1e-9) ** 2
    basis = basis[:, kept]
    inverse: Tensor = (basis / eigenvalues[kept]) @ basis.T
    return exact.T @ inverse if wide else inverse @ exact.T
