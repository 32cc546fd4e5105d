import pytest

from faast.evaluation.lm.scores import corpus_bleu, exact_match

TEXTS = ["the dog runs over the green grass", "two men sit on a bench", "a cat"]


def test_bleu_is_sacrebleus_with_an_interval():
    metrics = pytest.importorskip("sacrebleu.metrics")
    references = ["the dog runs across the green grass", "two men are on a bench", "a cat"]
    found = corpus_bleu(TEXTS, references)
    assert found.score == metrics.BLEU().corpus_score(TEXTS, [references]).score
    assert 0 < found.half_interval < found.score < 100
    assert "bs:1000" in found.signature
    assert corpus_bleu(TEXTS, TEXTS).score == pytest.approx(100)


def test_exact_match_is_the_share_of_equal_texts():
    assert exact_match(TEXTS, [TEXTS[0], " two men sit on a bench\n", "a dog"]) == pytest.approx(
        2 / 3
    )


def test_lengths_must_agree():
    for score in (corpus_bleu, exact_match):
        with pytest.raises(ValueError, match="3 texts and 1 references"):
            score(TEXTS, TEXTS[:1])
