"""MemoryConfig: which memories a language model carries, and how they learn."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from types import NoneType
from typing import Any, Literal, Self

OutputKind = Literal["natural", "pseudoinverse"]
Kind = Literal["natural", "pseudoinverse", "recall", "paper"]
"""How memories learn, by name."""
LARGEST_ALPHA = 4.0
PAPER_INTERPOLATION = 0.9


@dataclass(frozen=True)
class MemoryConfig:
    """Settings of the memories inside a decoder.

    Parameters
    ----------
    output : "natural", "pseudoinverse" or None
        Memory behind the last block. "natural" takes natural-gradient steps on the log-likelihood
        in one pass and can be folded into the output embeddings; "pseudoinverse" is the paper's.
    middle_layers : int
        Number of memories in front of evenly spaced blocks. Their readouts start at zero, so they
        change nothing until the readouts are trained.
    alpha : float, optional
        Exponent of the pseudo-inverse's spectral filter, rtol = N**-alpha. By default it is chosen
        on validation pairs for an exact output memory, and 0.8 elsewhere.
    interpolation : float, optional
        Share r of what the output pseudo-inverse reads: h (1 - r) + (h W) r. By default it is
        chosen on validation pairs, with 0 among the candidates, and 0.9 where `exact` is False.
    exact : bool
        Solve the pseudo-inverse from exact sums of all pairs. False averages blocks of pairs as the
        paper does.
    buffer_size : int
        Pairs kept before the oldest block is folded into the average (only without `exact`).
    block_size : int
        Pairs of a block (only without `exact`).
    discount : float
        Factor on the count of the folded pairs while readouts are trained.
    dropout : float
        Dropout on what layer memories read, while readouts are trained.
    random_features : bool
        Let a natural memory read products of random projections beside the hidden states: more
        capacity, but more state and time, and the memory cannot be folded.
    recall : bool
        Count how often each token came and what followed the last 1 to 6 tokens, and mix it into
        the prediction (an n-gram cache): names, facts and phrases, word for word. With
        ``output=None`` and no middle layers it is the only memory, and forgets and merges exactly.

    Raises
    ------
    ValueError
        A setting is out of range, or two settings exclude each other.
    """

    output: OutputKind | None = "natural"
    middle_layers: int = 0
    alpha: float | None = None
    interpolation: float | None = None
    exact: bool = True
    buffer_size: int = 65_536
    block_size: int = 8_192
    discount: float = 0.9
    dropout: float = 0.1
    random_features: bool = False
    recall: bool = False

    def __post_init__(self) -> None:
        if self.output not in ("natural", "pseudoinverse", None):
            raise ValueError(
                f'output must be "natural", "pseudoinverse" or None, got {self.output!r}'
            )
        self._check_numbers()
        if self.output is None and self.middle_layers == 0 and not self.recall:
            raise ValueError(
                "output=None with middle_layers=0 and recall=False is no memory at all; set one of "
                "the three"
            )
        if not self.exact and (self.output == "natural" or not self._has_pseudo_inverse):
            raise ValueError('exact=False averages pseudo-inverses; use output="pseudoinverse"')
        if self.random_features and self.output != "natural":
            raise ValueError(
                'random_features=True needs output="natural", whose keys it extends; got '
                f"output={self.output!r}"
            )

    def _check_numbers(self) -> None:
        """Raise ValueError where a number is out of range, or is a setting of another memory."""
        for name in ("middle_layers", "buffer_size", "block_size"):
            if type(getattr(self, name)) is not int:
                raise ValueError(f"{name} must be an integer, got {getattr(self, name)!r}")
        if self.middle_layers < 0:
            raise ValueError(f"middle_layers must not be negative, got {self.middle_layers}")
        if self.alpha is not None and not 0 < self.alpha <= LARGEST_ALPHA:
            raise ValueError(
                f"alpha must be positive and at most {LARGEST_ALPHA:g}, got {self.alpha}"
            )
        _check_unit_interval("interpolation", self.interpolation)
        _check_unit_interval("discount", self.discount)
        _check_unit_interval("dropout", self.dropout)
        if not 1 <= self.block_size <= self.buffer_size:
            raise ValueError(
                f"block_size must be between 1 and buffer_size={self.buffer_size}, got "
                f"{self.block_size}"
            )
        for name in ("alpha", "interpolation"):
            if getattr(self, name) is not None and not self._has_pseudo_inverse:
                raise ValueError(
                    f'{name} is a setting of pseudo-inverses; use output="pseudoinverse", or leave '
                    "it out"
                )

    @classmethod
    def paper(cls, middle_layers: int = 1, alpha: float = 1.0, **settings: Any) -> Self:
        """Return the settings of FAAST (arXiv 2605.04651): a buffer of pairs, averaged by blocks.

        Parameters
        ----------
        middle_layers, alpha
            The paper chooses them per model and data set.
        **settings
            Any field but `output` and `exact`, which the paper fixes.
        """
        fixed = {"interpolation": PAPER_INTERPOLATION, **settings}
        return cls("pseudoinverse", middle_layers, alpha, exact=False, **fixed)

    @classmethod
    def of_kind(cls, kind: Kind, *, recall: bool = False) -> Self:
        """Return the settings of memories of a kind, without middle layers.

        Parameters
        ----------
        kind : "natural", "pseudoinverse", "recall" or "paper"
        recall : bool
            Whether memories of other kinds recall too.
        """
        if kind == "recall":
            return cls(output=None, recall=True)
        if kind == "paper":
            return cls.paper(middle_layers=0, recall=recall)
        return cls(kind, recall=recall)

    @property
    def kind(self) -> Kind:
        """How such memories learn, by name."""
        return (self.output or "recall") if self.exact else "paper"

    @property
    def _has_pseudo_inverse(self) -> bool:
        return self.output == "pseudoinverse" or self.middle_layers > 0

    @property
    def forgets(self) -> bool:
        """Whether such memories forget and merge exactly."""
        return self.exact and self.output != "natural"

    def differences(self, other: MemoryConfig) -> str:
        """Say in which fields other settings differ, as in "recall (True and False)"."""
        ours, theirs = self.to_dict(), other.to_dict()
        return ", ".join(
            f"{name} ({ours[name]} and {theirs[name]})"
            for name in ours
            if ours[name] != theirs[name]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: Any) -> Self:
        """Return the settings that `to_dict` described.

        Raises
        ------
        ValueError
            A field is missing, unknown, of another type or out of range.
        """
        names = {one.name for one in fields(cls)}
        if type(saved) is not dict or saved.keys() != names:
            raise ValueError(f"settings must have the fields {', '.join(sorted(names))}")
        for name, value in saved.items():
            kinds = _KINDS.get(name, (float, int, NoneType))
            if type(value) not in kinds:
                raise ValueError(f"{name} cannot be {value!r:.80}")
            if type(value) is int and abs(value) >= 2**53:
                raise ValueError(f"{name} is too large: {value:.3e}")
        return cls(**saved)


_KINDS: dict[str, tuple[type, ...]] = {
    "output": (str, NoneType),
    "middle_layers": (int,),
    "exact": (bool,),
    "buffer_size": (int,),
    "block_size": (int,),
    "discount": (float, int),
    "dropout": (float, int),
    "random_features": (bool,),
    "recall": (bool,),
}
"""Types of a setting in a file; those that are not listed are optional numbers."""


def _check_unit_interval(name: str, value: float | None) -> None:
    if value is not None and not 0.0 <= value <= 1.0:
        raise ValueError(f"{name} must be in [0, 1], got {value}")
