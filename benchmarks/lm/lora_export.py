"""A natural memory as a LoRA of the head: rank against perplexity.

Run ``python -m benchmarks.lm.lora_export``; it writes results/lm/lora_export.md. It needs the folder of
reference data (FAAST_SHARED) and ``pip install "faast[lm]" peft``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from peft import PeftModel

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import command_line, provenance, table, write_page
from benchmarks.lm.adaptation import DOMAINS, MODEL, TEST_TOKENS, TOKENS, Domain, Subject
from benchmarks.lm.adaptation_methods import BATCH
from benchmarks.lm.start import start
from faast.evaluation.lm.perplexity import perplexity
from faast.lm import FaastForCausalLM

RANKS = (1, 4, 16, 32, 64, 128)


def curve(subject: Subject, domain: Domain) -> Iterator[str]:
    """Perplexity of the frozen model, with the adapter of each rank, and with the memory."""
    train = subject.tokens(domain.train())
    test = (train if domain.test is None else subject.tokens(domain.test()))[-TEST_TOKENS:]
    windows = train[: TOKENS // subject.window * subject.window].view(-1, subject.window)
    yield f"{perplexity(subject.fresh(), test, subject.window):.1f}"
    model = FaastForCausalLM.from_base(subject.fresh())
    for batch in windows.split(BATCH):
        model.learn(batch)
    for rank in RANKS:
        with tempfile.TemporaryDirectory() as folder:
            model.to_lora(folder, rank)
            adapted = PeftModel.from_pretrained(subject.fresh(), Path(folder))
        yield f"{perplexity(adapted, test, subject.window):.1f}"
    yield f"{perplexity(model, test, subject.window):.1f}"


def main() -> None:
    start()
    subject = Subject.of(MODEL)
    width = subject.fresh().config.hidden_size
    lines = [
        "# A natural memory as a LoRA",
        "",
        provenance(command_line("lm.lora_export")),
        "",
        f"TinyStories-656K (width {width}) learns {TOKENS:,} tokens; perplexity in windows of "
        f"{subject.window} over the last {TEST_TOKENS:,} tokens, the adapter loaded by PEFT.",
        "",
        *table(
            ["text", "frozen", *(f"rank {rank}" for rank in RANKS), "memory"],
            ([domain.name, *curve(subject, domain)] for domain in DOMAINS),
        ),
    ]
    write_page(results_folder("lm") / "lora_export.md", lines)


if __name__ == "__main__":
    main()
