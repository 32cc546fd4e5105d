"""The tasks that a language model is asked, and how much of each: for a story model and for Gemma."""

from __future__ import annotations

import csv
import lzma
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks._lib.paths import DATA
from benchmarks.lm.gemma import gemma_folder
from faast.evaluation.lm.datasets import Records, load_parallel_text, load_sentiment
from faast.evaluation.lm.prompts import Template

NATURAL, EXACT = "**natural**", "pseudo-inverse, exact"
BOTH, PAPER = "**natural and recall**", "paper's"
SST2, TREC, IMDB = "SST-2", "TREC", "IMDB"
TO_GERMAN, TO_ENGLISH = "Multi30k, English to German", "Multi30k, German to English"


class Task(NamedTuple):
    """Examples to learn and others to ask, with the command that asks and the scores it tells.

    Attributes
    ----------
    learned, asked : list of dict
    prompt, answer : str
        Templates without the space that joins them.
    command : tuple of str
    scores : tuple of str
    """

    learned: Records
    asked: Records
    prompt: str
    answer: str
    command: tuple[str, ...]
    scores: tuple[str, ...]


class Size(NamedTuple):
    """How many examples of a task are learned, and how many others are asked."""

    learned: int
    asked: int


@dataclass(frozen=True)
class Exam:
    """A model, and what it is asked.

    Attributes
    ----------
    about : str
        What the page calls the model.
    page : str
        Name of the page.
    folder : Path
    memories : dict of str to list of str
        Options of `faast lm learn` for each memory.
    sizes : dict of str to Size
        Of each task.
    shots : tuple of int
        Examples of each answer that a question of the first task gets of its own.
    space_in_prompt : bool
        Whether the tokenizer joins a space to the token before it: then prompts end with the space
        in front of the answer. Elsewhere answers begin with it.
    """

    about: str
    page: str
    folder: Path
    memories: Mapping[str, Sequence[str]]
    sizes: Mapping[str, Size]
    shots: tuple[int, ...]
    space_in_prompt: bool

    def template(self, task: Task) -> Template:
        """Join prompt and answer by a space, on the side where the tokenizer has it."""
        if self.space_in_prompt:
            return Template(f"{task.prompt} ", task.answer)
        return Template(task.prompt, f" {task.answer}")


def stories() -> Exam:
    """Return the story model, which is small enough to be asked much."""
    return Exam(
        "A story model of 656K parameters (English children's stories, 2,048 tokens)",
        "tasks",
        DATA / "models" / "tinystories-656k",
        {NATURAL: [], EXACT: ["--memory", "pseudoinverse"], PAPER: ["--memory", "paper"]},
        dict.fromkeys((SST2, IMDB, TO_GERMAN, TO_ENGLISH), Size(2000, 500)),
        shots=(1, 2, 5),
        space_in_prompt=True,
    )


def gemma() -> Exam:
    """Return Gemma 3 270M, asked what one processor answers in about an hour."""
    return Exam(
        "Gemma 3 270M (base; 4-bit weights, Q4_K_M, computed in float32)",
        "tasks_gemma",
        gemma_folder(),
        {NATURAL: [], BOTH: ["--recall"], EXACT: ["--memory", "pseudoinverse"]},
        {
            SST2: Size(256, 100),
            IMDB: Size(128, 60),
            TREC: Size(256, 100),
            TO_GERMAN: Size(256, 48),
        },
        shots=(),
        space_in_prompt=False,
    )


def load(name: str) -> Task:
    """Load a task by its name."""
    return _LOADERS[name]()


def _reviews(file: str) -> Task:
    parts = (load_sentiment(DATA / "text" / f"{file}_{part}.csv") for part in ("train", "test"))
    return _classification(*parts, "Review: {text}\nSentiment:")


def _questions() -> Task:
    def read(part: str) -> Records:
        with (DATA / "text" / f"trec_{part}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return _classification(read("train"), read("test"), "Question: {text}\nAbout:")


def _classification(learned: Records, asked: Records, prompt: str) -> Task:
    scores = ("accuracy", "calibration_error")
    return Task(learned, asked, prompt, "{label}", ("classify",), scores)


def _translation(source: str, target: str) -> Task:
    parts = {}
    with tempfile.TemporaryDirectory() as folder:
        for part in ("train", "test"):
            for code in ("en", "de"):
                packed = DATA / "translation" / f"multi30k_{part}.{code}.xz"
                (Path(folder) / code).write_bytes(lzma.decompress(packed.read_bytes()))
            parts[part] = load_parallel_text(Path(folder) / "en", Path(folder) / "de")
    fields = {"English": "source", "German": "target"}
    return Task(
        parts["train"],
        parts["test"],
        f"{source}: {{{fields[source]}}}\n{target}:",
        f"{{{fields[target]}}}",
        ("generate", "--max-new-tokens", "40", "--batch-size", "50"),
        ("bleu", "bleu_half_interval", "exact_match"),
    )


_LOADERS: Mapping[str, Callable[[], Task]] = {
    SST2: partial(_reviews, "sst2"),
    IMDB: partial(_reviews, "imdb"),
    TREC: _questions,
    TO_GERMAN: partial(_translation, "English", "German"),
    TO_ENGLISH: partial(_translation, "German", "English"),
}
