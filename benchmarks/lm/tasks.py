"""Tasks for a small story model, through the command line: classification and generation.

Run ``python -m benchmarks.lm.tasks``; it writes results/lm/tasks.md. It needs the folder of reference
data (FAAST_SHARED) and ``pip install "faast[lm,evaluation]"``.
"""

from __future__ import annotations

import json
import lzma
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import transformers
from transformers import AutoTokenizer
from typer.testing import CliRunner

from benchmarks._lib.paths import DATA, results_folder
from benchmarks._lib.report import one_thread, provenance, table
from faast.cli.main import app
from faast.evaluation.lm.datasets import Records, load_parallel_text, load_sentiment
from faast.evaluation.lm.few_shot import draw_shots, in_context_probabilities, memory_probabilities
from faast.evaluation.lm.prompts import Template
from faast.lm import FaastForCausalLM

MODEL = DATA / "models" / "tinystories-656k"
MEMORIES = {"natural": "**natural**", "pseudoinverse": "pseudo-inverse, exact", "paper": "paper's"}
LEARNED, ASKED = 2000, 500
SHOTS, QUESTIONS = (1, 2, 5), 200


@dataclass(frozen=True)
class Task:
    """What is learned and what is asked, with the command that asks and the scores it tells.

    The model's tokenizer joins a space to the token before it: prompts end with the space.
    """

    name: str
    learned: Records
    asked: Records
    template: Template
    command: tuple[str, ...]
    scores: tuple[str, ...]


def tasks() -> list[Task]:
    text, translation = DATA / "text", DATA / "translation"
    review = Template("Review: {text}\nSentiment: ", "{label}")
    ask = ("classify",)
    accuracy = ("accuracy", "calibration_error")
    found = [
        Task(
            name,
            load_sentiment(text / f"{file}_train.csv"),
            load_sentiment(text / f"{file}_test.csv"),
            review,
            ask,
            accuracy,
        )
        for name, file in (("SST-2", "sst2"), ("IMDB", "imdb"))
    ]
    write = ("generate", "--max-new-tokens", "40", "--batch-size", "50")
    with tempfile.TemporaryDirectory() as folder:
        parts = {part: unpacked(translation, part, Path(folder)) for part in ("train", "test")}
    for source, target in (("English", "German"), ("German", "English")):
        there = source == "English"
        pairs = {
            part: rows if there else [{"source": r["target"], "target": r["source"]} for r in rows]
            for part, rows in parts.items()
        }
        template = Template(f"{source}: {{source}}\n{target}: ", "{target}")
        found.append(
            Task(
                f"Multi30k, {source} to {target}",
                pairs["train"],
                pairs["test"],
                template,
                write,
                ("bleu", "bleu_half_interval", "exact_match"),
            )
        )
    return found


def unpacked(folder: Path, part: str, into: Path) -> Records:
    for code in ("en", "de"):
        packed = (folder / f"multi30k_{part}.{code}.xz").read_bytes()
        (into / f"{part}.{code}").write_bytes(lzma.decompress(packed))
    return load_parallel_text(into / f"{part}.en", into / f"{part}.de")


def spread(records: Records, n: int) -> Records:
    """Take n records at equal distances: files are sorted by class."""
    step = max(1, len(records) // n)
    return records[::step][:n]


def command(*arguments: object) -> dict:
    done = CliRunner().invoke(app, ["lm", *map(str, arguments), "--json"], prog_name="faast")
    if done.exit_code:
        raise RuntimeError(done.stderr or done.exception)
    return json.loads(done.stdout)


def rows(task: Task, folder: Path) -> list[list[str]]:
    for name, records in (
        ("learned", spread(task.learned, LEARNED)),
        ("asked", spread(task.asked, ASKED)),
    ):
        lines = "\n".join(map(json.dumps, records))
        (folder / f"{name}.jsonl").write_text(lines + "\n", encoding="utf-8")
    templates = ["--prompt", task.template.prompt, "--answer", task.template.answer]
    verb, *options = task.command
    found = []
    for memory in [None, *MEMORIES]:
        began, model, learned = time.process_time(), MODEL, {}
        if memory is not None:
            model = folder / memory
            learned = command(
                "learn",
                MODEL,
                folder / "learned.jsonl",
                "-o",
                model,
                "--memory",
                memory,
                *templates,
            )
        seconds = time.process_time() - began
        told = command(verb, model, folder / "asked.jsonl", *templates, *options)
        found.append(
            [
                "frozen model" if memory is None else MEMORIES[memory],
                *(f"{told[score]:.3f}" for score in task.scores),
                f"{learned.get('learned_tokens', 0):,}",
                f"{seconds:.1f}",
                f"{time.process_time() - began - seconds:.1f}",
            ]
        )
        print(task.name, *found[-1], flush=True)
    return found


def few_shot(task: Task) -> list[list[str]]:
    """Accuracy with a few examples of each answer for every question, learned or shown."""
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = FaastForCausalLM.from_base(MODEL)
    support = [task.template.example(row) for row in task.learned]
    questions = [task.template.example(row) for row in spread(task.asked, QUESTIONS)]
    prompts = [question.prompt for question in questions]
    answers = sorted({question.answer for question in questions})
    expected = np.array([answers.index(question.answer) for question in questions])
    found = []
    for shots in SHOTS:
        drawn = list(draw_shots(support, len(prompts), shots))
        row = [str(shots)]
        for answer in (memory_probabilities, in_context_probabilities):
            began = time.process_time()
            probabilities = answer(model, tokenizer, prompts, drawn, answers)
            seconds = (time.process_time() - began) / len(prompts)
            accuracy = np.mean(probabilities.argmax(axis=1) == expected)
            row += [f"{accuracy:.3f}", f"{1000 * seconds:.0f}"]
        found.append(row)
        print(task.name, *row, flush=True)
    return found


def main() -> None:
    one_thread()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    lines = [
        "# Tasks for a small language model",
        "",
        f"A story model of 656K parameters (English children's stories, 2,048 tokens) learns up to "
        f"{LEARNED:,} examples in one pass and is asked up to {ASKED:,} others. Everything runs "
        "through `faast lm learn`, `classify` and `generate`; classification compares the logits of "
        "the answers' first differing tokens, generation is greedy, BLEU is sacreBLEU's with half its "
        "95% bootstrap interval. Seconds are processor time of whole commands, loading included.",
        "",
        provenance("python -m benchmarks.lm.tasks"),
        "",
    ]
    for task in tasks():
        header = [score.replace("_", " ") for score in task.scores]
        with tempfile.TemporaryDirectory() as folder:
            found = rows(task, Path(folder))
        lines += [f"## {task.name}", ""]
        lines += table(["memory", *header, "tokens learned", "learning, s", "asking, s"], found)
        if task.name == "SST-2":
            lines += [
                f"{QUESTIONS} questions, each with its own few examples of each answer: learned by a "
                "fresh natural memory, or shown in the prompt (in-context learning).",
                "",
            ]
            header = ["examples", "learned", "ms a question", "shown", "ms a question"]
            lines += table(header, few_shot(task))
    (results_folder("lm") / "tasks.md").write_text(
        "\n".join(lines).rstrip() + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
