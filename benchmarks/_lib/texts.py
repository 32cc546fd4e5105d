"""The texts that language models learn from and are tested on."""

from __future__ import annotations

import lzma

from benchmarks._lib.paths import CACHE, DATA

BACKBONES = CACHE / "backbones"
HELD_OUT_REVIEWS = 2_000


def read(name: str) -> str:
    """Return one of the texts of the shared folder."""
    with lzma.open(DATA / "lm" / f"{name}.txt.xz", "rt", encoding="utf-8") as file:
        return file.read()


def captions(part: str) -> str:
    """Return the German captions of Multi30k: "train", "val" or "test"."""
    with lzma.open(DATA / "translation" / f"multi30k_{part}.de.xz", "rt", encoding="utf-8") as file:
        return file.read()


def reviews(*, held_out: bool) -> list[str]:
    """Film reviews that no model was pretrained on, or all others."""
    documents = read("imdb_unsup_40k").split("\n\n")
    return documents[-HELD_OUT_REVIEWS:] if held_out else documents[:-HELD_OUT_REVIEWS]
