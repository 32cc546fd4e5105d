"""What results/lm/readouts.md says of paired losses."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from benchmarks._lib.report import plus_minus, table


@dataclass(frozen=True)
class Score:
    """What a method did on a domain.

    Attributes
    ----------
    method : str
    n_support : int
        Tokens learned or in context.
    losses : Tensor of shape (windows,)
        Mean negative log-likelihood of each test window's tokens.
    """

    method: str
    n_support: int
    losses: Tensor

    @property
    def perplexity(self) -> float:
        return float(self.losses.mean().exp())

    def gap(self, other: Score) -> tuple[float, float]:
        """Difference in mean loss, and half the 95% interval of the paired differences."""
        gaps = self.losses - other.losses
        return float(gaps.mean()), float(1.96 * gaps.std() / len(gaps) ** 0.5)

    def beats(self, other: Score) -> bool:
        return sum(self.gap(other)) < 0


def section(domain: str, scores: list[Score]) -> list[str]:
    frozen, in_context = scores[:2]
    rows = [
        [
            score.method,
            f"{score.n_support:,}",
            f"{score.perplexity:.1f}",
            "" if score is frozen else plus_minus(*score.gap(frozen), 3, sign=True),
            "" if score in scores[:2] else plus_minus(*score.gap(in_context), 3, sign=True),
        ]
        for score in scores
    ]
    header = ["", "support, tokens", "perplexity", "loss against frozen", "against in-context"]
    return [f"### {domain}", "", *table(header, rows)]


def verdicts(results: dict[str, list[Score]], method: str) -> list[str]:
    """Whether a method beats the first two, frozen and in-context, beyond the 95% interval."""
    rows = []
    for domain, scores in results.items():
        ours = [score for score in scores if score.method.startswith(method)]
        for score in ours:
            beaten = ["yes" if score.beats(peer) else "**no**" for peer in scores[:2]]
            rows.append([domain, f"{score.n_support:,}", *beaten])
    return table(["domain", "support, tokens", "beats frozen", "beats in-context"], rows)
