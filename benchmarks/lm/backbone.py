"""Pretrain a small language model on film reviews, to adapt where no published one is at hand.

Run ``python -m benchmarks.lm.backbone [--size small|medium] [--tokens N]``; it writes the model to
``FAAST_CACHE/backbones`` (``~/.cache/faast``) and results/lm/backbone.md. `small` takes half an hour of
one CPU thread, `medium` is for a GPU; both train in bfloat16.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from math import exp

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
    default_data_collator,
)

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import provenance, table
from benchmarks._lib.texts import BACKBONES, HELD_OUT_REVIEWS, reviews
from faast.evaluation.measure import one_thread
from faast.lm.documents import text_windows

WINDOW = 512
STEP_TOKENS = 4_096
TEST_WINDOWS = 100
END = "<|end|>"
SIZES = {
    "small": {
        "vocab_size": 4_096,
        "hidden_size": 256,
        "intermediate_size": 768,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
    },
    "medium": {
        "vocab_size": 8_192,
        "hidden_size": 512,
        "intermediate_size": 1_536,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
    },
}


def train_tokenizer(documents: Iterator[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE: no text is unknown."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, pad_token=END
    )


def build(size: str, end: int) -> LlamaForCausalLM:
    config = LlamaConfig(
        **SIZES[size],
        max_position_embeddings=WINDOW,
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
    transformers.set_seed(0)
    return LlamaForCausalLM(config)


def rows(windows: Tensor) -> list[dict[str, Tensor]]:
    return [{"input_ids": window, "labels": window} for window in windows]


def train(model: LlamaForCausalLM, windows: Tensor, test: Tensor, folder: str) -> Trainer:
    """One pass over the windows; AdamW, cosine schedule."""
    batch = STEP_TOKENS // WINDOW
    arguments = TrainingArguments(
        output_dir=folder,
        num_train_epochs=1,
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=batch,
        learning_rate=2e-3,
        lr_scheduler_type="cosine",
        warmup_steps=100,
        weight_decay=0.1,
        adam_beta2=0.95,
        max_grad_norm=1.0,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=50,
        eval_strategy="steps",
        eval_steps=len(windows) // batch // 10,
        save_strategy="no",
        prediction_loss_only=True,
        report_to="none",
    )
    trainer = Trainer(
        model,
        arguments,
        train_dataset=rows(windows),
        eval_dataset=rows(test),
        data_collator=default_data_collator,
    )
    trainer.train()
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--tokens", type=int, default=9_000_000)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        one_thread()
    documents = reviews(held_out=False)
    tokenizer = train_tokenizer(iter(documents), SIZES[arguments.size]["vocab_size"])
    windows = text_windows(tokenizer, documents, WINDOW)
    test = text_windows(tokenizer, reviews(held_out=True), WINDOW)[-TEST_WINDOWS:]
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    chosen = windows[order[: arguments.tokens // WINDOW]]
    model = build(arguments.size, tokenizer.eos_token_id)
    folder = BACKBONES / arguments.size
    started, cpu_started = time.perf_counter(), time.process_time()
    trainer = train(model, chosen, test, str(folder))
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    lines = [
        "# A backbone pretrained on film reviews",
        "",
        f"A Llama shape of {model.num_parameters():,} parameters ({describe(model.config)}), byte-level "
        f"BPE of its own, {chosen.numel():,} of the {windows.numel():,} tokens of packed reviews once, "
        f"in windows of {WINDOW}, bfloat16 autocast, AdamW (learning rate 2e-3, cosine, 100 steps of "
        f"warm-up, weight decay 0.1), {STEP_TOKENS:,} tokens a step. Perplexity in windows of {WINDOW} "
        f"over {test.numel():,} tokens of the last {HELD_OUT_REVIEWS:,} reviews, which neither the "
        "tokenizer nor the model has seen.",
        "",
        f"{cpu_seconds / 60:.1f} minutes of processor time, {seconds / 60:.1f} on the clock of a shared "
        f"machine, on {'a GPU' if torch.cuda.is_available() else 'one CPU thread'}.",
        "",
        provenance(f"python -m benchmarks.lm.backbone --size {arguments.size}"),
        "",
        *table(
            ["tokens", "held-out perplexity"],
            [
                [f"{entry['step'] * STEP_TOKENS:,}", f"{exp(entry['eval_loss']):.1f}"]
                for entry in trainer.state.log_history
                if "eval_loss" in entry
            ],
        ),
    ]
    (results_folder("lm") / "backbone.md").write_text("\n".join(lines), encoding="utf-8")


def describe(config: LlamaConfig) -> str:
    return (
        f"d = {config.hidden_size}, {config.num_hidden_layers} blocks, "
        f"{config.vocab_size:,} tokens, tied embeddings"
    )


if __name__ == "__main__":
    main()
