"""MemoryConfig: which memories a language model carries, and how they learn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

OutputKind = Literal["natural", "pseudoinverse"]
PAPER_ALPHA = 0.8
PAPER_INTERPOLATION = 0.9


@dataclass(frozen=True)
class MemoryConfig:
    """Settings of the memories inside a decoder.

    Parameters
    ----------
    output : "natural", "pseudoinverse" or None
        The memory behind the last block. "natural" learns the gradient of the log-likelihood in one
        pass and folds into the output embeddings; "pseudoinverse" is the paper's.
    middle_layers : int
        Memories in front of evenly spaced blocks. Their readouts start at zero: untrained, they
        change nothing.
    alpha : float, optional
        Spectral filter of the pseudo-inverse, rtol = N**-alpha. None: chosen on held-out blocks of
        the support for an exact output memory, 0.8 elsewhere.
    interpolation : float, optional
        Share r of the output pseudo-inverse's read, h (1 - r) + (h W) r. None: chosen on held-out
        blocks of the support, 0 among the candidates; 0.9 where `exact` is false.
    exact : bool
        Solve the pseudo-inverse from exact moments. False: average blocks as the paper does.
    bank_size : int
        Pairs held before the oldest block is folded in (`exact` false only).
    block_size : int
        Pairs folded in together by the paper's average (`exact` false only).
    discount : float
        Factor on the count of what was folded in, while readouts are trained.
    dropout : float
        On the middle reads, while readouts are trained.
    lift : bool
        Let a natural memory read products of random projections too: more capacity, more state and
        time, and no folding.

    Raises
    ------
    ValueError
        A setting out of range, or settings that exclude each other.
    """

    output: OutputKind | None = "natural"
    middle_layers: int = 0
    alpha: float | None = None
    interpolation: float | None = None
    exact: bool = True
    bank_size: int = 65_536
    block_size: int = 8_192
    discount: float = 0.9
    dropout: float = 0.1
    lift: bool = False

    def __post_init__(self) -> None:
        if self.output not in ("natural", "pseudoinverse", None):
            raise ValueError(
                f'output must be "natural", "pseudoinverse" or None, got {self.output!r}'
            )
        if self.middle_layers < 0:
            raise ValueError(f"middle_layers must not be negative, got {self.middle_layers}")
        if self.output is None and self.middle_layers == 0:
            raise ValueError("output=None and middle_layers=0 leave no memory at all")
        if self.output == "natural" and not self.exact:
            raise ValueError('exact=False averages pseudo-inverses; use output="pseudoinverse"')
        if self.lift and self.output != "natural":
            raise ValueError(f'lift=True lifts the keys of output="natural", not {self.output!r}')
        if self.alpha is not None and not self.alpha > 0:
            raise ValueError(f"alpha must be positive, got {self.alpha}")
        _in_unit_interval("interpolation", self.interpolation)
        _in_unit_interval("discount", self.discount)
        _in_unit_interval("dropout", self.dropout)
        if not 1 <= self.block_size <= self.bank_size:
            raise ValueError(
                f"block_size must be in 1..bank_size, got {self.block_size} and a bank_size of "
                f"{self.bank_size}"
            )

    @classmethod
    def paper(cls, middle_layers: int = 1, alpha: float = 1.0, **settings: Any) -> Self:
        """Return the settings of FAAST (arXiv 2605.04651): bank and block averaging.

        Parameters
        ----------
        middle_layers, alpha
            The paper's per model and data set.
        **settings
            Any other field.
        """
        fixed = {"interpolation": PAPER_INTERPOLATION, **settings}
        return cls("pseudoinverse", middle_layers, alpha, exact=False, **fixed)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, as JSON keeps them."""
        return asdict(self)


def _in_unit_interval(name: str, value: float | None) -> None:
    if value is not None and not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must be in [0, 1], got {value}")
