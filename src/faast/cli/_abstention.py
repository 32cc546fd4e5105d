"""Answers that are withheld: options, reasons, and a summary on standard error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import typer

from faast import FaastClassifier
from faast._utils.arrays import AnyArray
from faast.cli._model import FaastModel
from faast.cli._output import Answers


@dataclass(frozen=True)
class Abstaining:
    """Options that say which rows get no answer."""

    min_precision: Annotated[
        float | None,
        typer.Option(
            "--min-precision",
            help="Answer only where the label is sure enough for this share of answers, such as "
            "0.95, to be right. It is an error where the learned rows cannot promise that.",
        ),
    ] = None
    none_of_these: Annotated[
        float | None,
        typer.Option(
            "--none-of-these",
            help="Give no answer to rows unlike the learned ones. The value, such as 0.05, is the "
            "share of rows of learned classes that may wrongly get no answer. Needs faast learn "
            "--novelty.",
        ),
    ] = None


ABSTAINING = Abstaining()


class Abstention:
    """Withholds answers of a classifier as the options say, and counts them.

    Parameters
    ----------
    learner : FaastClassifier or FaastRegressor
    options : Abstaining

    Raises
    ------
    ValueError
        If the precision cannot be promised, the classifier scores no novelty, or the model predicts
        numbers.
    """

    def __init__(self, learner: FaastModel, options: Abstaining) -> None:
        self.counts = {"unsure": 0, "none of these": 0, "blank": 0}
        self._novelty = options.none_of_these
        self._threshold = None
        self._wanted = options.min_precision is not None or self._novelty is not None
        self._rows = 0
        if not self._wanted:
            return
        if not isinstance(learner, FaastClassifier):
            raise ValueError(
                "--min-precision and --none-of-these withhold labels; this model predicts numbers, "
                "whose intervals (--interval) say how sure they are"
            )
        if options.min_precision is not None:
            self._threshold = learner.answer_threshold(options.min_precision)
        if self._novelty is not None:
            learner.check_novelty(self._novelty)

    @property
    def facts(self) -> dict[str, Any]:
        """What a report in JSON says; empty if every row gets an answer."""
        if not self._wanted:
            return {}
        found: dict[str, Any] = {"rows_without_answer": sum(self.counts.values())}
        if self._threshold is not None:
            found |= {
                "least_probability": self._threshold.probability,
                "expected_precision": self._threshold.precision,
                "expected_coverage": self._threshold.coverage,
            }
        return found

    def withhold(self, answers: Answers, asked: FaastClassifier, features: AnyArray) -> Answers:
        """Return answers with empty labels where there is none, and a column that says why."""
        if not self._wanted:
            return answers
        why = np.full(len(features), "", dtype=object)
        if self._threshold is not None:
            why[np.array(answers["probability"]) < self._threshold.probability] = "unsure"
        if self._novelty is not None:
            why[asked.novelty_p_value(features) <= self._novelty] = "none of these"
        why[asked.is_blank(features)] = "blank"
        self._rows += len(features)
        for reason in self.counts:
            self.counts[reason] += int(np.count_nonzero(why == reason))
        labels = [
            None if reason else label for label, reason in zip(answers["label"], why, strict=True)
        ]
        return answers | {"label": labels, "no_answer": why.tolist()}

    def report(self) -> None:
        """Say on standard error how many rows got no answer, and why."""
        if not self._wanted:
            return
        parts = [f"{count} {reason}" for reason, count in self.counts.items() if count]
        why = f" ({', '.join(parts)})" if parts else ""
        line = f"no answer for {sum(self.counts.values())} of {self._rows} rows{why}"
        if self._threshold is not None:
            expected = self._threshold
            line += (
                f"; answers have a probability of at least {expected.probability:.3f}, and of "
                f"left-out learned rows {expected.coverage:.0%} got one, right in "
                f"{expected.precision:.1%}"
            )
        typer.echo(line, err=True)
