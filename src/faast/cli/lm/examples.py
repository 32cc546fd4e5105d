"""Examples that ``faast lm COMMAND --help`` shows; tests run them in this order."""

from __future__ import annotations

SENTIMENT = r"--prompt 'Review: {text}\nSentiment:' --answer ' {label}'"

EXAMPLES = {
    "learn": [
        "faast lm learn stories/ plays.txt -o plays",
        "faast lm learn stories/ questions.jsonl -o answers",
        f"faast lm learn stories/ reviews.csv -o critic {SENTIMENT}",
        "faast lm learn critic plays.txt -o both",
    ],
    "perplexity": [
        "faast lm perplexity stories/ plays.txt",
        "faast lm perplexity plays plays.txt --window 32 --json",
    ],
    "generate": [
        "faast lm generate plays --prompt 'the king' --max-new-tokens 8",
        "faast lm generate answers questions.jsonl --beams 2 --max-new-tokens 8 --json",
    ],
    "classify": [
        f"faast lm classify critic reviews.csv {SENTIMENT}",
        f"faast lm classify critic new.csv {SENTIMENT} --choice good --choice bad --json",
    ],
    "fold": ["faast lm fold plays -o folded"],
    "pretrain": ["faast lm pretrain stories/ plays.txt -o readouts --window 16"],
}
