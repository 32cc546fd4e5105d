"""Score generated texts against references: BLEU and exact match."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from faast._utils.imports import import_optional

if TYPE_CHECKING:
    from collections.abc import Sequence

N_BOOTSTRAP = 1000


class Bleu(NamedTuple):
    """Corpus BLEU with its confidence interval.

    Attributes
    ----------
    score : float
        0 to 100.
    half_interval : float
        Half the width of the 95% bootstrap interval.
    signature : str
        Settings and version of sacreBLEU.
    """

    score: float
    half_interval: float
    signature: str


def corpus_bleu(texts: Sequence[str], references: Sequence[str]) -> Bleu:
    """Compute BLEU with sacreBLEU (Post 2018) and bootstrap its interval (Koehn 2004).

    Parameters
    ----------
    texts, references : sequence of str, length n
        Texts to score, and one reference for each.

    Raises
    ------
    ImportError
        If sacreBLEU is not installed.
    ValueError
        If there are no texts, or if the lengths differ.
    """
    _validate_lengths(texts, references)
    metric = import_optional("sacrebleu.metrics", "evaluation").BLEU()
    score = metric.corpus_score(list(texts), [list(references)], n_bootstrap=N_BOOTSTRAP)
    signature = str(metric.get_signature())
    report = json.loads(score.format(width=4, signature=signature, is_json=True))
    return Bleu(float(score.score), report.get("confidence_var", 0.0), signature)


def exact_match(texts: Sequence[str], references: Sequence[str]) -> float:
    """Return the share of texts that equal their reference, white space around them ignored.

    Parameters
    ----------
    texts, references : sequence of str, length n
        Texts to score, and one reference for each.

    Raises
    ------
    ValueError
        If there are no texts, or if the lengths differ.
    """
    _validate_lengths(texts, references)
    pairs = zip(texts, references, strict=True)
    return sum(text.strip() == reference.strip() for text, reference in pairs) / len(texts)


def _validate_lengths(texts: Sequence[str], references: Sequence[str]) -> None:
    if not texts or len(texts) != len(references):
        raise ValueError(
            f"every text needs one reference, got {len(texts)} texts and {len(references)} "
            "references"
        )
