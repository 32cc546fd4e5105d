"""Learn labelled texts, save the model, explain an answer, and forget a text again.

Run ``python examples/texts.py``; it needs the light core alone. With the extra ``text``, write
``TextClassifier("minilm")`` for an encoder that knows meanings.
"""

import tempfile
from pathlib import Path

import faast
from faast import TextClassifier

TEXTS = [
    "my card never arrived",
    "the card got lost in the post",
    "when will my new card come",
    "top up by bank transfer",
    "my top up is pending",
    "why did the top up fail",
]
LABELS = ["card"] * 3 + ["top_up"] * 3


def main() -> None:
    """Sort the questions that a bank receives."""
    model = TextClassifier("hashing").fit(TEXTS, LABELS)
    print("answer:", model.predict(["has my card been sent?"])[0])

    why = model.explain("has my card been sent?")
    print("why:   ", {label: round(score, 2) for label, score in why.scores.items()})

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bank.faast"
        model.save(path)
        before = path.read_bytes()

        model.partial_fit(["I want to close my account"], ["account"])  # a new class
        print("new:   ", model.predict(["please close the account"])[0])

        model.forget(["I want to close my account"], ["account"])
        print("again: ", model.predict(["has my card been sent?"])[0])
        model.save(path)
        print("same file after forgetting:", path.read_bytes() == before)
        print("loaded:", faast.load(path).predict(["the top up failed"])[0])


if __name__ == "__main__":
    main()
