"""Scores of generated texts against what was expected."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from faast._utils.imports import import_optional

if TYPE_CHECKING:
    from collections.abc import Sequence

N_BOOTSTRAP = 1000


class Bleu(NamedTuple):
    """Corpus BLEU.

    Attributes
    ----------
    score : float
        0 to 100.
    half_interval : float
        Half of its 95% bootstrap interval.
    signature : str
        How sacreBLEU computed it.
    """

    score: float
    half_interval: float
    signature: str


def corpus_bleu(texts: Sequence[str], references: Sequence[str]) -> Bleu:
    """Score translations with sacreBLEU (Post 2018), bootstrapped (Koehn 2004).

    Parameters
    ----------
    texts, references : sequence of str, both of length n

    Raises
    ------
    ImportError
        sacreBLEU is not installed.
    ValueError
        Nothing to score, or lengths that differ.
    """
    _require_pairs(texts, references)
    metric = import_optional("sacrebleu.metrics", "evaluation").BLEU()
    score = metric.corpus_score(list(texts), [list(references)], n_bootstrap=N_BOOTSTRAP)
    signature = str(metric.get_signature())
    told = json.loads(score.format(width=4, signature=signature, is_json=True))
    return Bleu(float(score.score), told.get("confidence_var", 0.0), signature)


def exact_match(texts: Sequence[str], references: Sequence[str]) -> float:
    """Return the share of texts that are their reference, white space around aside."""
    _require_pairs(texts, references)
    pairs = zip(texts, references, strict=True)
    return sum(text.strip() == reference.strip() for text, reference in pairs) / len(texts)


def _require_pairs(texts: Sequence[str], references: Sequence[str]) -> None:
    if not texts or len(texts) != len(references):
        raise ValueError(
            f"every text needs one reference, got {len(texts)} texts and {len(references)} "
            "references"
        )
